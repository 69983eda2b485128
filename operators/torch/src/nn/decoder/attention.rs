//! Attention of queries over keys and values.

use tch::{Kind, Tensor};

use super::pass::View;
use crate::ModelError;

/// How a layer's scores are made.
#[derive(Debug, Clone, Copy)]
pub struct Scores {
    /// They are multiplied with it.
    pub scale: f64,
    /// They are kept within it by tanh.
    pub softcap: Option<f64>,
}

/// Queries `[batch, heads, step, dim]` over keys and values `[batch, kv heads, all positions, dim]`, to
/// `[batch, heads, step, dim]`.
pub fn attend(q: &Tensor, k: &Tensor, v: &Tensor, view: &View, scores: Scores) -> Result<Tensor, ModelError> {
    let (batch, heads, step, dim) = q.size4()?;
    let (_, kv_heads, keys, _) = k.size4()?;
    let near = |x: &Tensor| match view.last {
        Some(last) if last < keys => x.f_narrow(2, keys - last, last),
        _ => Ok(x.shallow_clone()),
    };
    if !view.segments.is_empty() {
        let lengths: Vec<i64> = view.segments.iter().map(|(length, _)| *length).collect();
        let cut = |x: &Tensor| x.f_split_with_sizes(lengths.as_slice(), 2);
        let (q, k, v) = (cut(q)?, cut(k)?, cut(v)?);
        let each = q
            .iter()
            .zip(&k)
            .zip(&v)
            .zip(&view.segments)
            .map(|(((q, k), v), (_, own))| attend(q, k, v, own, scores))
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(Tensor::f_cat(&each, 2)?);
    }
    let (k, v) = (near(k)?, near(v)?);
    if step == 1 && heads != kv_heads {
        // The query heads of a group become the rows of one query, so that no key has to be copied.
        let rows = q.f_reshape([batch, kv_heads, heads / kv_heads, dim])?;
        return Ok(over(&rows, &k, &v, view, scores)?.f_reshape([batch, heads, 1, dim])?);
    }
    let (k, v) = (shared(&k, heads / kv_heads)?, shared(&v, heads / kv_heads)?);
    over(q, &k, &v, view, scores)
}

fn over(q: &Tensor, k: &Tensor, v: &Tensor, view: &View, scores: Scores) -> Result<Tensor, ModelError> {
    let mask = view.mask.as_ref();
    let Some(cap) = scores.softcap else {
        return Ok(Tensor::f_scaled_dot_product_attention(
            q,
            k,
            v,
            mask,
            0.0,
            view.causal,
            scores.scale,
            false,
        )?);
    };
    let raw = q.f_matmul(&k.f_transpose(-2, -1)?)?.f_mul_scalar(scores.scale)?;
    let capped = raw.f_div_scalar(cap)?.f_tanh()?.f_mul_scalar(cap)?;
    let capped = match mask {
        // Not minus infinity: a row that may see nothing (padding) has to stay a number.
        Some(mask) => capped
            .f_to_kind(Kind::Float)?
            .f_masked_fill(&mask.f_logical_not()?, f64::from(f32::MIN))?,
        None => capped,
    };
    let weights = capped.f_softmax(-1, Kind::Float)?.f_to_kind(v.f_kind()?)?;
    Ok(weights.f_matmul(v)?)
}

/// Each key and value head once for every query head that shares it.
fn shared(x: &Tensor, times: i64) -> Result<Tensor, ModelError> {
    if times == 1 {
        return Ok(x.shallow_clone());
    }
    let (batch, heads, length, dim) = x.size4()?;
    let wide = x
        .f_unsqueeze(2)?
        .f_expand([batch, heads, times, length, dim], false)?;
    Ok(wide.f_reshape([batch, heads * times, length, dim])?)
}
