//! What the layers of one step share: the rotation of its positions, and what each may look at.

use std::collections::{BTreeMap, btree_map::Entry};

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
    /// Sequences of these lengths lie end to end, each looking at itself as its own view says; there is no mask then.
    pub segments: Vec<(i64, View)>,
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

    /// One attention a sequence. Sequences of equal length share a mask, where the window or attention needs one.
    fn of_segments(
        lengths: &[i64],
        window: Option<i64>,
        plain: bool,
        device: Device,
    ) -> Result<Self, ModelError> {
        let mut masks: BTreeMap<i64, Tensor> = BTreeMap::new();
        let mut segments = Vec::with_capacity(lengths.len());
        for length in lengths {
            let window = window.filter(|window| window < length);
            let mask = if plain && window.is_none() {
                None
            } else {
                Some(match masks.entry(*length) {
                    Entry::Occupied(made) => made.get().shallow_clone(),
                    Entry::Vacant(place) => {
                        let seen = Tensor::f_ones([*length, *length], (Kind::Bool, device))?.f_tril(0)?;
                        let seen = match window {
                            Some(window) => seen.f_triu(1 - window)?,
                            None => seen,
                        };
                        place.insert(seen).shallow_clone()
                    }
                })
            };
            let view = Self {
                causal: mask.is_none(),
                mask,
                last: None,
                segments: Vec::new(),
            };
            segments.push((*length, view));
        }
        Ok(Self {
            mask: None,
            causal: false,
            last: None,
            segments,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;

    /// A mask over all sequences at once would have 1,010 x 1,010 entries.
    #[test]
    fn masks_of_sequences_are_as_large_as_the_sequences() {
        let lengths: Vec<i64> = std::iter::repeat_n(10, 100).chain([4, 6]).collect();
        let span = Span {
            past: 0,
            length: 1010,
        };
        let sizes = |window, plain| {
            let view = View::new(Attend::Segments(&lengths), span, window, plain, Device::Cpu).unwrap();
            assert!(view.mask.is_none() && view.segments.len() == 102);
            let masks = view.segments.iter().map(|(_, own)| own.mask.as_ref());
            let sizes: Vec<_> = masks.map(|mask| mask.map(Tensor::size)).collect();
            let first = view.segments[0].1.mask.as_ref().map(Tensor::data_ptr);
            let second = view.segments[1].1.mask.as_ref().map(Tensor::data_ptr);
            assert_eq!(first, second, "equal lengths share a mask");
            [sizes[0].clone(), sizes[100].clone()]
        };
        assert_eq!(sizes(None, true), [None, None]);
        assert_eq!(sizes(Some(5), true), [Some(vec![10, 10]), None]);
        assert_eq!(sizes(Some(5), false), [Some(vec![10, 10]), Some(vec![4, 4])]);
    }
}
