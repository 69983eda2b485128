//! LoRA adapters beside the packed weights: rows of one step may have different ones.

use crate::{Cores, math};

/// The layers of a block that an adapter may sit on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Queries.
    Query,
    /// Keys.
    Key,
    /// Values.
    Value,
    /// The attention's output.
    Output,
    /// The gate of a gated net.
    Gate,
    /// Into the feed-forward net.
    Up,
    /// Out of the feed-forward net.
    Down,
}

/// Low-rank factors of a layer.
pub struct Low {
    /// `[rank, inputs]`.
    pub a: Vec<f32>,
    /// `[outputs, rank]`, times the adapter's scale.
    pub b: Vec<f32>,
    /// Rank.
    pub rank: usize,
    /// DoRA: what each output is multiplied with, its bias left out.
    pub share: Option<Vec<f32>>,
}

/// An adapter's factors by block.
#[derive(Default)]
pub struct Adapter {
    /// One list a block.
    pub blocks: Vec<Vec<(Target, Low)>>,
}

impl Adapter {
    pub(crate) fn low(&self, block: usize, target: Target) -> Option<&Low> {
        let found = self.blocks.get(block)?.iter().find(|(held, _)| *held == target)?;
        Some(&found.1)
    }

    /// Whether the layer's outputs are multiplied: they must not be added to anything before that.
    pub(crate) fn multiplies(&self, block: usize, target: Target) -> bool {
        self.low(block, target).is_some_and(|low| low.share.is_some())
    }

    /// Bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lows = self.blocks.iter().flatten();
        lows.map(|(_, low)| (low.a.len() + low.b.len()) * size_of::<f32>())
            .sum()
    }
}

/// Adds `B (A x)` to the rows that have an adapter with this target. `y` has rows of `width`, of which the layer's
/// outputs start at `offset`; `bias` is in them already.
pub fn add(
    cores: &Cores,
    adapters: &[Option<&Adapter>],
    (block, target): (usize, Target),
    (x, inputs): (&[f32], usize),
    (y, width, offset): (&mut [f32], usize, usize),
    bias: Option<&[f32]>,
) {
    if adapters.iter().all(Option::is_none) {
        return;
    }
    crate::decoder::each_row(cores, y, width, &|row, y| {
        let low = adapters
            .get(row)
            .copied()
            .flatten()
            .and_then(|adapter| adapter.low(block, target));
        let (Some(low), Some(x), Some(y)) =
            (low, x.get(row * inputs..(row + 1) * inputs), y.get_mut(offset..))
        else {
            return;
        };
        let mut inner = vec![0.0_f32; low.rank];
        for (a, inner) in low.a.chunks_exact(inputs).zip(&mut inner) {
            math::dot(cores.level(), a, x, inner);
        }
        for (output, (b, y)) in low.b.chunks_exact(low.rank.max(1)).zip(y).enumerate() {
            let mut sum = 0.0;
            math::dot(cores.level(), b, &inner, &mut sum);
            *y += sum;
            if let Some(share) = low.share.as_ref().and_then(|share| share.get(output)) {
                let bias = bias.and_then(|bias| bias.get(offset + output)).unwrap_or(&0.0);
                *y = (*y - bias) * share + bias;
            }
        }
    });
}
