//! What the layers of one step share: the rotation of its positions, and what each may look at.

use tch::{Device, Kind, Tensor};

use super::{Architecture, Attend};
use crate::{ModelError, nn::rope::Rotation};

/// Made once for a step by [`super::Decoder::begin`], read by every layer. It owns its tensors, so that a layer can be
/// computed again later.
#[derive(Debug)]
pub struct Pass {
    pub(super) rotation: Option<Rotation>,
    full: View,
    /// By window.
    windowed: Vec<(i64, View)>,
}

/// What the queries of a step may look at.
#[derive(Debug)]
pub(super) struct View {
    /// True where a query may look, `[batch or 1, 1, step, keys]`; all keys without it.
    pub mask: Option<Tensor>,
    /// A query looks at the keys up to its own, counted from the first; there is no mask then.
    pub causal: bool,
    /// Only so many of the last keys are looked at; the mask is over these.
    pub last: Option<i64>,
    /// Sequences of these lengths lie end to end, each causal by itself; there is no mask then.
    pub segments: Vec<i64>,
}

/// The tokens of a step: how many were read before, how many it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub past: i64,
    pub length: i64,
}

impl Pass {
    pub(super) fn new(
        architecture: &Architecture,
        rotation: Option<Rotation>,
        attend: Attend<'_>,
        span: Span,
        device: Device,
    ) -> Result<Self, ModelError> {
        // Only libtorch's own attention knows "causal" without a mask.
        let plain = architecture.attention_softcap.is_none();
        let mut windows: Vec<i64> = architecture.windows.iter().copied().flatten().collect();
        windows.sort_unstable();
        windows.dedup();
        let view = |window| View::new(attend, span, window, plain, device);
        Ok(Self {
            rotation,
            full: view(None)?,
            windowed: windows
                .into_iter()
                .map(|window| Ok((window, view(Some(window))?)))
                .collect::<Result<_, ModelError>>()?,
        })
    }

    pub(super) fn view(&self, window: Option<i64>) -> &View {
        let found = |window| self.windowed.iter().find(|(other, _)| *other == window);
        window.and_then(found).map_or(&self.full, |(_, view)| view)
    }
}

impl View {
    fn new(
        attend: Attend<'_>,
        Span { past, length }: Span,
        window: Option<i64>,
        plain: bool,
        device: Device,
    ) -> Result<Self, ModelError> {
        let total = past + length;
        let window = window.filter(|window| *window < total);
        // The first query of the step looks back furthest.
        let keys = window.map_or(total, |window| total.min(window.saturating_add(length - 1)));
        let ones = || Tensor::f_ones([length, keys], (Kind::Bool, device));
        let offset = keys - length;
        let behind = |window: i64| offset - window + 1;
        let (mask, causal) = match attend {
            Attend::Slots { slots, total } => return Self::of_slots(slots, total, window, device),
            Attend::Segments(lengths) => return Self::of_segments(lengths, window, plain, device),
            Attend::Causal if length == 1 => (None, false),
            Attend::Causal if past == 0 && window.is_none() && plain => (None, true),
            Attend::Causal => {
                let seen = ones()?.f_tril(offset)?;
                let seen = match window {
                    Some(window) => seen.f_triu(behind(window))?,
                    None => seen,
                };
                (Some(seen), false)
            }
            Attend::Mask(mask) => match window {
                None => (Some(mask.shallow_clone()), false),
                Some(window) => {
                    let near = mask.f_narrow(-1, total - keys, keys)?;
                    (Some(near.f_logical_and(&ones()?.f_triu(behind(window))?)?), false)
                }
            },
        };
        Ok(Self {
            mask,
            causal,
            last: (keys < total).then_some(keys),
            segments: Vec::new(),
        })
    }

    /// One attention a sequence; or a mask of blocks, where a sequence is longer than the window or attention needs one.
    fn of_segments(
        lengths: &[i64],
        window: Option<i64>,
        plain: bool,
        device: Device,
    ) -> Result<Self, ModelError> {
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let window = window.filter(|window| *window < longest);
        if plain && window.is_none() {
            return Ok(Self {
                mask: None,
                causal: true,
                last: None,
                segments: lengths.to_vec(),
            });
        }
        let blocks: Vec<Tensor> = lengths
            .iter()
            .map(|length| {
                let seen = Tensor::f_ones([*length, *length], (Kind::Bool, device))?.f_tril(0)?;
                match window {
                    Some(window) => seen.f_triu(1 - window),
                    None => Ok(seen),
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            mask: Some(Tensor::f_block_diag(&blocks)?.f_to_kind(Kind::Bool)?),
            causal: false,
            last: None,
            segments: Vec::new(),
        })
    }

    /// Every token looks at the slots up to its own, and not further back than the window.
    fn of_slots(slots: &Tensor, total: i64, window: Option<i64>, device: Device) -> Result<Self, ModelError> {
        let keys = Tensor::f_arange(total, (Kind::Int64, device))?;
        let own = slots.f_unsqueeze(-1)?;
        let mut mask = keys.f_le_tensor(&own)?;
        if let Some(window) = window.filter(|window| *window < total) {
            mask = mask.f_logical_and(&keys.f_gt_tensor(&own.f_sub_scalar(window)?)?)?;
        }
        Ok(Self {
            mask: Some(mask.f_unsqueeze(1)?),
            causal: false,
            last: None,
            segments: Vec::new(),
        })
    }
}
