//! Writing of safetensors files and config.json.

use std::{borrow::Cow, collections::HashMap, path::Path};

use safetensors::{Dtype, View};
use tch::{Device, Tensor};

use super::kinds;
use crate::ModelError;

/// Writes tensors of type F32, F16 or BF16 in the order of their names, so that equal tensors make equal files.
///
/// # Errors
/// `model.unreadable` when the file cannot be written, `model.tensor_kind` for another type.
pub fn write_safetensors(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), ModelError> {
    let mut blocks = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        blocks.push((name.as_str(), Block::new(path, name, tensor)?));
    }
    // transformers refuses a file without this entry.
    let about = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize_to_file(blocks, Some(about), path).map_err(|error| ModelError::Io {
        path: path.to_owned(),
        source: std::io::Error::other(error.to_string()),
    })
}

/// Writes a config.json, indented.
///
/// # Errors
/// `model.unreadable` when the file cannot be written.
pub fn write_config(path: &Path, config: &serde_json::Value) -> Result<(), ModelError> {
    std::fs::write(path, format!("{config:#}\n")).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })
}

/// A tensor on its way into a file; only metadata is held until its bytes are asked for.
struct Block {
    dtype: Dtype,
    shape: Vec<usize>,
    tensor: Tensor,
}

impl Block {
    fn new(path: &Path, name: &str, tensor: &Tensor) -> Result<Self, ModelError> {
        let dtype = kinds::dtype(tensor.f_kind()?).ok_or_else(|| ModelError::TensorKind {
            path: path.to_owned(),
            name: name.to_owned(),
            found: format!("{:?}", tensor.kind()),
        })?;
        let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
        let shape = tensor
            .size()
            .into_iter()
            .filter_map(|n| usize::try_from(n).ok())
            .collect();
        Ok(Self { dtype, shape, tensor })
    }
}

impl View for Block {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if self.data_len() == 0 {
            return Cow::Borrowed(&[]);
        }
        // SAFETY: the tensor is contiguous, on the CPU and lives as long as `self`; its storage has `data_len` bytes.
        Cow::Borrowed(unsafe {
            std::slice::from_raw_parts(self.tensor.data_ptr().cast::<u8>(), self.data_len())
        })
    }

    fn data_len(&self) -> usize {
        self.tensor.numel() * self.dtype.bitsize() / 8
    }
}
