//! Packing of a matrix into 4 bits a value: groups of values with a factor each.
//!
//! NF4 has the codes that its paper (QLoRA) gives for normally distributed values and groups of 64; `int4` cuts the range
//! of a group of 32 evenly. With double quantisation the factors themselves are 8 bits, in blocks of 256.

use tch::{Kind, Tensor};
use twinloom_shim::Packed;

use crate::ModelError;

/// Which 16 values there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// Quantiles of the normal distribution.
    Nf4,
    /// Even steps.
    Int4,
}

/// The values of NF4, from its paper's appendix E.
const NF4: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Factors that share a factor.
const BLOCK: i64 = 256;

impl Bits {
    fn group(self) -> i64 {
        match self {
            Self::Nf4 => 64,
            Self::Int4 => 32,
        }
    }

    fn table(self) -> [f32; 16] {
        match self {
            Self::Nf4 => NF4,
            Self::Int4 => std::array::from_fn(|code| code as f32 / 8.0 - 1.0),
        }
    }
}

/// Packs `[out, in]`; `None` where its size is no multiple of a group.
///
/// # Errors
/// What libtorch says.
pub fn pack(weight: &Tensor, bits: Bits, double: bool) -> Result<Option<Packed>, ModelError> {
    let (shape, group) = (weight.size2()?, bits.group());
    if (shape.0 * shape.1) % group != 0 {
        return Ok(None);
    }
    let device = weight.device();
    let groups = weight
        .f_detach()?
        .f_to_kind(Kind::Float)?
        .f_reshape([-1, group])?;
    let scales = match bits {
        Bits::Nf4 => groups.f_abs()?.f_amax([1_i64].as_slice(), true)?,
        // The value of the largest size is -1 times the factor: there are eight steps below nothing, seven above.
        Bits::Int4 => {
            let at = groups.f_abs()?.f_argmax(1, true)?;
            groups.f_gather(1, &at, false)?.f_neg()?
        }
    };
    let (held, double) = if double {
        let (codes, block_scales, offset) = pack_scales(&scales.f_view([-1])?)?;
        (codes, Some((block_scales, offset)))
    } else {
        (scales.f_view([-1])?.f_contiguous()?, None)
    };
    let table = Tensor::f_from_slice(&bits.table())?.f_to_device(device)?;
    let packed = |codes| Packed {
        shape,
        codes,
        table: table.shallow_clone(),
        scales: held.shallow_clone(),
        double: double
            .as_ref()
            .map(|(block, offset)| (block.shallow_clone(), offset.shallow_clone())),
    };
    // Codes are chosen for the factors as they will be read.
    let ones = Tensor::f_full([shape.0 * shape.1 / 2], 255, (Kind::Uint8, device))?;
    let read = twinloom_shim::unpack(&packed(ones), Kind::Float)?
        .f_reshape([-1, group])?
        .f_narrow(1, 0, 1)?
        .f_div_scalar(f64::from(*bits.table().last().unwrap_or(&1.0)))?;
    let size = read.f_abs()?.f_clamp_min(1e-30)?;
    let safe = size.f_mul(&read.f_sign()?.f_add_scalar(0.5)?.f_sign()?)?;
    let codes = nearest(&groups.f_div(&safe)?, &table)?.f_view([-1, 2])?;
    let high = codes.f_select(1, 1)?.f_mul_scalar(16)?;
    let bytes = codes.f_select(1, 0)?.f_add(&high)?.f_to_kind(Kind::Uint8)?;
    Ok(Some(packed(bytes.f_contiguous()?)))
}

/// The index of the table's nearest value.
fn nearest(values: &Tensor, table: &Tensor) -> Result<Tensor, ModelError> {
    let between = table
        .f_narrow(0, 0, 15)?
        .f_add(&table.f_narrow(0, 1, 15)?)?
        .f_mul_scalar(0.5)?;
    Ok(values.f_contiguous()?.f_bucketize(&between, true, false)?)
}

/// Factors as 8 bits around their mean.
fn pack_scales(scales: &Tensor) -> Result<(Tensor, Tensor, Tensor), ModelError> {
    let count = scales.numel() as i64;
    let blocks = (count + BLOCK - 1) / BLOCK;
    let offset = scales.f_mean(Kind::Float)?.f_view([1])?;
    let around = scales.f_sub(&offset)?;
    let rows = around
        .f_constant_pad_nd([0, blocks * BLOCK - count])?
        .f_view([blocks, BLOCK])?;
    let steps = rows
        .f_abs()?
        .f_amax([1_i64].as_slice(), true)?
        .f_div_scalar(127.0)?
        .f_clamp_min(1e-30)?;
    let codes = rows
        .f_div(&steps)?
        .f_round()?
        .f_view([-1])?
        .f_narrow(0, 0, count)?;
    Ok((
        codes.f_to_kind(Kind::Int8)?.f_contiguous()?,
        steps.f_view([-1])?,
        offset,
    ))
}
