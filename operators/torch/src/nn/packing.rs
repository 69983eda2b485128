//! Tensors as the CPU kernels take them.

use tch::{Kind, Tensor};
use twinloom_kernels::{Format, KernelError, Packed};

use crate::ModelError;

/// Rows that are read from a tensor at a time.
const ROWS: i64 = 256;

/// A tensor's values in fp32, in order.
///
/// # Errors
/// What libtorch says.
pub fn values(tensor: &Tensor) -> Result<Vec<f32>, ModelError> {
    let tensor = tensor.f_detach()?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let mut values = vec![0.0_f32; tensor.numel()];
    let count = values.len();
    tensor.f_copy_data(&mut values, count)?;
    Ok(values)
}

/// Matrices `[outputs, inputs]` of equal width, laid end to end.
///
/// # Errors
/// What libtorch or the kernels say.
pub fn matrix(tensors: &[&Tensor], format: Format) -> Result<Packed, ModelError> {
    let size = |value: i64| usize::try_from(value).unwrap_or_default();
    let (mut outputs, mut inputs) = (0, 0);
    for tensor in tensors {
        let (rows, columns) = tensor.size2()?;
        outputs += rows;
        inputs = columns;
    }
    let mut rows = Rows {
        tensors,
        read: Vec::new(),
        first: 0,
        problem: None,
    };
    let packed = Packed::new(format, size(outputs), size(inputs), |row, out| {
        rows.write(row, out);
    });
    match rows.problem.take() {
        Some(problem) => Err(problem),
        None => packed.map_err(broken),
    }
}

/// What the kernels say, as this crate's error.
pub fn broken(error: KernelError) -> ModelError {
    match error {
        KernelError::Full | KernelError::Memory { .. } => ModelError::busy(
            error.to_string(),
            "Send fewer or shorter requests, or give more memory to keys and values.",
        ),
        other => ModelError::input(
            other.to_string(),
            "Check that config.json belongs to these weights.",
        ),
    }
}

/// The rows of some matrices, read a few at a time: a whole matrix in fp32 would be twice the file.
struct Rows<'a> {
    tensors: &'a [&'a Tensor],
    read: Vec<f32>,
    first: usize,
    problem: Option<ModelError>,
}

impl Rows<'_> {
    fn write(&mut self, row: usize, out: &mut [f32]) {
        let held = self.read.len() / out.len().max(1);
        if !(self.first..self.first + held).contains(&row)
            && let Err(problem) = self.fetch(row)
        {
            self.problem = Some(problem);
        }
        let at = row.saturating_sub(self.first) * out.len();
        if let Some(values) = self.read.get(at..at + out.len()) {
            out.copy_from_slice(values);
        }
    }

    fn fetch(&mut self, row: usize) -> Result<(), ModelError> {
        let mut from = row as i64;
        for tensor in self.tensors {
            let count = tensor.size2()?.0;
            if from < count {
                self.read = values(&tensor.f_narrow(0, from, ROWS.min(count - from))?)?;
                self.first = row;
                return Ok(());
            }
            from -= count;
        }
        Ok(())
    }
}
