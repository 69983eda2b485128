//! Weights in the order in which they are read.
//!
//! A matrix is cut into panels of [`PANEL`] outputs. Within a panel the inputs follow each other, and of each input (of
//! each pair of inputs, for bf16) the weights of all outputs of the panel: a panel is one stream of memory, and two vectors
//! of weights meet one broadcast input. Reduced weights carry one scale for each output and group of inputs.

use crate::{
    KernelError,
    math::{from_bf16, to_bf16},
    memory::Bytes,
};

/// Outputs of a panel.
pub const PANEL: usize = 32;
/// The code book of [`Format::Int4`], times the scale.
pub const INT4: [f32; 16] = [
    -8.0, -7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0,
];

/// How weights are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As they are; products in fp32.
    F32,
    /// bf16; inputs are rounded to bf16, sums are fp32.
    Bf16,
    /// 8-bit integers with a scale for each group of inputs; inputs and sums are fp32.
    Int8 {
        /// Inputs that share a scale.
        group: usize,
    },
    /// 4-bit integers with a scale for each group of inputs; inputs and sums are fp32.
    Int4 {
        /// Inputs that share a scale.
        group: usize,
    },
}

/// A packed matrix `[outputs, inputs]`.
pub struct Packed {
    pub(crate) format: Format,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) data: Bytes,
    /// `[panel][group][PANEL]`, fp32; empty where the format has none.
    pub(crate) scales: Vec<f32>,
}

impl Packed {
    /// Packs a matrix; `row` writes an output's weights into the slice that it is given.
    ///
    /// # Errors
    /// [`KernelError::Shape`] for an empty matrix or group, [`KernelError::Memory`].
    pub fn new(
        format: Format,
        outputs: usize,
        inputs: usize,
        mut row: impl FnMut(usize, &mut [f32]),
    ) -> Result<Self, KernelError> {
        let group = match format {
            Format::Int8 { group } | Format::Int4 { group } => group,
            Format::F32 | Format::Bf16 => inputs,
        };
        if outputs == 0 || inputs == 0 || group == 0 {
            return Err(KernelError::Shape(format!(
                "a matrix of {outputs} x {inputs} in groups of {group}"
            )));
        }
        let panels = outputs.div_ceil(PANEL);
        let panel_bytes = panel_bytes(format, inputs);
        let mut data = Bytes::zeroed(panels.saturating_mul(panel_bytes))?;
        let mut scales = Vec::new();
        let mut rows = vec![0.0_f32; PANEL * inputs];
        for (panel, bytes) in data.slice_mut::<u8>().chunks_exact_mut(panel_bytes).enumerate() {
            rows.fill(0.0);
            for (index, values) in rows.chunks_exact_mut(inputs).enumerate() {
                if panel * PANEL + index < outputs {
                    row(panel * PANEL + index, values);
                }
            }
            pack(format, &rows, inputs, group, bytes, &mut scales);
        }
        Ok(Self {
            format,
            outputs,
            inputs,
            data,
            scales,
        })
    }

    /// Writes an output's weights as they are used: the row of an embedding.
    pub fn row(&self, output: usize, out: &mut [f32]) {
        let (panel, lane) = (output / PANEL, output % PANEL);
        let size = self.panel_bytes();
        let Some(data) = self.data.slice::<u8>().get(panel * size..(panel + 1) * size) else {
            return out.fill(0.0);
        };
        let groups = self.inputs.div_ceil(self.group());
        for (input, out) in out.iter_mut().enumerate().take(self.inputs) {
            let scale = || {
                let at = (panel * groups + input / self.group()) * PANEL + lane;
                self.scales.get(at).copied().unwrap_or(0.0)
            };
            let byte = |at: usize| data.get(at).copied().unwrap_or(0);
            *out = match self.format {
                Format::F32 => {
                    let at = (input * PANEL + lane) * 4;
                    f32::from_le_bytes([byte(at), byte(at + 1), byte(at + 2), byte(at + 3)])
                }
                Format::Bf16 => {
                    let at = ((input / 2 * PANEL + lane) * 2 + input % 2) * 2;
                    from_bf16(u16::from_le_bytes([byte(at), byte(at + 1)]))
                }
                Format::Int8 { .. } => f32::from(byte(input * PANEL + lane).cast_signed()) * scale(),
                Format::Int4 { .. } => {
                    let half = PANEL / 2;
                    let code = byte(input * half + lane % half) >> if lane < half { 0 } else { 4 };
                    INT4.get(usize::from(code & 15)).copied().unwrap_or(0.0) * scale()
                }
            };
        }
    }

    /// Outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Bytes that a product reads.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.data.len() + self.scales.len() * size_of::<f32>()
    }

    pub(crate) fn panels(&self) -> usize {
        self.outputs.div_ceil(PANEL)
    }

    pub(crate) fn panel_bytes(&self) -> usize {
        panel_bytes(self.format, self.inputs)
    }

    pub(crate) fn group(&self) -> usize {
        match self.format {
            Format::Int8 { group } | Format::Int4 { group } => group.min(self.inputs),
            Format::F32 | Format::Bf16 => self.inputs,
        }
    }
}

fn panel_bytes(format: Format, inputs: usize) -> usize {
    match format {
        Format::F32 => inputs * PANEL * 4,
        Format::Bf16 => inputs.div_ceil(2) * 2 * PANEL * 2,
        Format::Int8 { .. } => inputs * PANEL,
        Format::Int4 { .. } => inputs * PANEL / 2,
    }
}

/// Packs the rows of one panel.
fn pack(format: Format, rows: &[f32], inputs: usize, group: usize, out: &mut [u8], scales: &mut Vec<f32>) {
    let weight = |output: usize, input: usize| rows.get(output * inputs + input).copied().unwrap_or(0.0);
    match format {
        Format::F32 => {
            for (index, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                *out = weight(index % PANEL, index / PANEL).to_le_bytes();
            }
        }
        Format::Bf16 => {
            for (index, out) in out.as_chunks_mut::<2>().0.iter_mut().enumerate() {
                let (pair, output, odd) = (index / (2 * PANEL), index / 2 % PANEL, index % 2);
                let input = pair * 2 + odd;
                let value = if input < inputs {
                    weight(output, input)
                } else {
                    0.0
                };
                *out = to_bf16(value).to_le_bytes();
            }
        }
        Format::Int8 { .. } | Format::Int4 { .. } => {
            let four = matches!(format, Format::Int4 { .. });
            for start in (0..inputs).step_by(group) {
                let end = (start + group).min(inputs);
                for output in 0..PANEL {
                    let values = rows
                        .get(output * inputs + start..output * inputs + end)
                        .unwrap_or_default();
                    let scale = if four { scale4(values) } else { scale8(values) };
                    scales.push(scale);
                    for (input, value) in (start..end).zip(values) {
                        if four {
                            // Outputs of the first half of a panel in low halves of bytes, the others in high ones.
                            let code = (quotient(*value, scale).clamp(-8.0, 7.0) + 8.0) as u8;
                            let at = input * PANEL / 2 + output % (PANEL / 2);
                            if let Some(byte) = out.get_mut(at) {
                                *byte |= code << if output < PANEL / 2 { 0 } else { 4 };
                            }
                        } else if let Some(byte) = out.get_mut(input * PANEL + output) {
                            *byte = (quotient(*value, scale).clamp(-127.0, 127.0) as i8).cast_unsigned();
                        }
                    }
                }
            }
        }
    }
}

fn quotient(value: f32, scale: f32) -> f32 {
    if scale == 0.0 {
        0.0
    } else {
        (value / scale).round()
    }
}

fn scale8(values: &[f32]) -> f32 {
    values.iter().fold(0.0_f32, |most, value| most.max(value.abs())) / 127.0
}

/// Of some scales round the largest value's, the one with the smallest squared error. The code book reaches one step
/// further down than up, so the sign of the largest value counts.
fn scale4(values: &[f32]) -> f32 {
    let extreme = values.iter().fold(
        0.0_f32,
        |most, value| if value.abs() > most.abs() { *value } else { most },
    );
    let error = |scale: f32| {
        let off = |value: &f32| (value - quotient(*value, scale).clamp(-8.0, 7.0) * scale).powi(2);
        values.iter().map(off).sum::<f32>()
    };
    let candidates = [-8.0, -7.6, -7.2, -6.8, 7.4].map(|steps| extreme / steps);
    candidates
        .into_iter()
        .min_by(|a, b| error(*a).total_cmp(&error(*b)))
        .unwrap_or(0.0)
}
