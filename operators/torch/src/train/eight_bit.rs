//! The optimizer's two means, in 32 or in 8 bits.
//!
//! Eight bits are codes of a table that is dense near nothing (powers of ten, each cut evenly), times the largest value of
//! a block of 256. A part of the buffer is unpacked at a time, so that no full copy is ever there.

use tch::{Kind, TchError, Tensor};

use crate::ModelError;

/// Values that share a factor.
const BLOCK: i64 = 256;
/// Values that are unpacked at a time.
const PART: i64 = BLOCK * 4096;

/// Mean of gradients, mean of their squares.
pub enum States {
    /// fp32.
    Full { mean: Tensor, square: Tensor },
    /// 8 bits.
    Eight { mean: Codes, square: Codes, count: i64 },
}

/// A tensor in 8 bits.
pub struct Codes {
    /// Uint8, blocks of [`BLOCK`].
    codes: Tensor,
    /// fp32, one a block.
    largest: Tensor,
    /// What the codes stand for, ascending, 256.
    table: Tensor,
    /// Half-way between neighbours, 255.
    between: Tensor,
}

impl States {
    /// Nothing yet, for a flat buffer.
    pub fn new(value: &Tensor, eight_bit: bool) -> Result<Self, ModelError> {
        if !eight_bit {
            return Ok(Self::Full {
                mean: value.f_zeros_like()?,
                square: value.f_zeros_like()?,
            });
        }
        let count = value.numel() as i64;
        Ok(Self::Eight {
            mean: Codes::new(value, &signed())?,
            square: Codes::new(value, &unsigned())?,
            count,
        })
    }

    /// Runs over the buffer: start, count, mean and square of a part, which may be changed.
    pub fn each(
        &mut self,
        mut run: impl FnMut(i64, i64, &Tensor, &Tensor) -> Result<(), TchError>,
    ) -> Result<(), ModelError> {
        match self {
            Self::Full { mean, square } => run(0, mean.numel() as i64, mean, square)?,
            Self::Eight { mean, square, count } => {
                let mut start = 0;
                while start < *count {
                    let part = PART.min(*count - start);
                    let (m, s) = (mean.unpack(start, part)?, square.unpack(start, part)?);
                    run(start, part, &m, &s)?;
                    mean.pack(start, &m)?;
                    square.pack(start, &s)?;
                    start += part;
                }
            }
        }
        Ok(())
    }

    /// All tensors by name.
    pub fn tensors(&self) -> Vec<(&'static str, Tensor)> {
        match self {
            Self::Full { mean, square } => {
                vec![("mean", mean.shallow_clone()), ("square", square.shallow_clone())]
            }
            Self::Eight { mean, square, .. } => vec![
                ("mean", mean.codes.shallow_clone()),
                ("mean_largest", mean.largest.shallow_clone()),
                ("square", square.codes.shallow_clone()),
                ("square_largest", square.largest.shallow_clone()),
            ],
        }
    }
}

impl Codes {
    fn new(value: &Tensor, table: &[f32]) -> Result<Self, TchError> {
        let blocks = (value.numel() as i64 + BLOCK - 1) / BLOCK;
        let between: Vec<f32> = table.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
        let zero = table.iter().position(|value| *value == 0.0).unwrap_or(0);
        let device = value.device();
        Ok(Self {
            codes: Tensor::f_full([blocks * BLOCK], zero as i64, (Kind::Uint8, device))?,
            largest: Tensor::f_zeros([blocks], (Kind::Float, device))?,
            table: Tensor::f_from_slice(table)?.f_to_device(device)?,
            between: Tensor::f_from_slice(&between)?.f_to_device(device)?,
        })
    }

    fn part(&self, start: i64, count: i64) -> Result<(Tensor, Tensor, i64), TchError> {
        let blocks = (count + BLOCK - 1) / BLOCK;
        let codes = self.codes.f_narrow(0, start, blocks * BLOCK)?;
        let largest = self.largest.f_narrow(0, start / BLOCK, blocks)?;
        Ok((codes, largest, blocks))
    }

    fn unpack(&self, start: i64, count: i64) -> Result<Tensor, TchError> {
        let (codes, largest, blocks) = self.part(start, count)?;
        let values = self.table.f_index_select(0, &codes.f_to_kind(Kind::Int)?)?;
        values
            .f_view([blocks, BLOCK])?
            .f_mul(&largest.f_unsqueeze(1)?)?
            .f_view([-1])?
            .f_narrow(0, 0, count)
    }

    fn pack(&self, start: i64, values: &Tensor) -> Result<(), TchError> {
        let count = values.numel() as i64;
        let (codes, largest, blocks) = self.part(start, count)?;
        let padded = values.f_constant_pad_nd([0, blocks * BLOCK - count])?;
        let rows = padded.f_view([blocks, BLOCK])?;
        let top = rows.f_abs()?.f_amax([1_i64].as_slice(), true)?;
        let shares = rows.f_div(&top.f_clamp_min(1e-38)?)?;
        let found = shares.f_bucketize(&self.between, true, false)?;
        codes.shallow_clone().f_copy_(&found.f_view([-1])?)?;
        largest.shallow_clone().f_copy_(&top.f_view([-1])?)?;
        Ok(())
    }
}

/// Zero, and for seven powers of ten the middles of even cuts: 2, 4, … of them, most for the largest power.
fn positive(most: u32, powers: u32) -> Vec<f32> {
    let mut values = vec![0.0];
    for power in 0..powers {
        let cuts = 2_u32.pow(most - (powers - 1 - power).min(most));
        let (low, high) = (0.1_f64, 1.0);
        for cut in 0..cuts {
            let middle = low + (high - low) * (f64::from(cut) + 0.5) / f64::from(cuts);
            values.push((middle * 10_f64.powi(power as i32 + 1 - powers as i32)) as f32);
        }
    }
    values
}

/// 256 values from -1 to 1.
fn signed() -> Vec<f32> {
    // 1 + 2 + … + 64 = 127 positive ones.
    let positive = positive(6, 7);
    let mut values: Vec<f32> = positive.iter().skip(1).map(|value| -value).collect();
    values.extend(positive);
    values.push(1.0);
    values.sort_by(f32::total_cmp);
    values
}

/// 256 values from 0 to 1.
fn unsigned() -> Vec<f32> {
    // 1 + 2 + … + 128 = 255.
    let mut values = positive(7, 8);
    if let Some(last) = values.last_mut() {
        *last = 1.0;
    }
    values
}
