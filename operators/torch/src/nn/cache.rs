//! Keys and values of what a decoder has read.

use tch::Tensor;

use crate::ModelError;

/// One layer's keys and values, `[batch, kv heads, capacity, head_dim]`; grown by doubling.
#[derive(Debug)]
struct Layer {
    keys: Tensor,
    values: Tensor,
}

/// The cache of one batch of sequences of equal length. Use it without gradients.
#[derive(Debug, Default)]
pub struct KvCache {
    layers: Vec<Layer>,
    length: i64,
    reserve: i64,
}

impl KvCache {
    /// Empty, with room for `reserve` positions before it has to grow.
    #[must_use]
    pub fn new(reserve: i64) -> Self {
        Self {
            layers: Vec::new(),
            length: 0,
            reserve: reserve.max(16),
        }
    }

    /// Positions held.
    #[must_use]
    pub fn len(&self) -> i64 {
        self.length
    }

    /// Whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forgets what comes after the first `length` positions.
    pub fn truncate(&mut self, length: i64) {
        self.length = self.length.min(length.max(0));
    }

    /// Adds a step's keys and values to a layer and gives all of that layer's. The length moves with [`Self::advance`],
    /// once every layer has its part.
    pub(super) fn extend(
        &mut self,
        layer: usize,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<(Tensor, Tensor), ModelError> {
        let (batch, heads, step, dim) = keys.size4()?;
        let end = self.length + step;
        if self.layers.len() <= layer {
            let capacity = end.max(self.reserve);
            let room = || keys.f_new_empty([batch, heads, capacity, dim], (keys.f_kind()?, keys.device()));
            self.layers.push(Layer {
                keys: room()?,
                values: room()?,
            });
        }
        let Some(held) = self.layers.get_mut(layer) else {
            return Err(ModelError::input(
                "the layers of a cache are filled in order",
                "Use a cache with one model only.",
            ));
        };
        if end > held.keys.size4()?.2 {
            held.grow(self.length, end * 2)?;
        }
        held.keys.f_narrow(2, self.length, step)?.f_copy_(keys)?;
        held.values.f_narrow(2, self.length, step)?.f_copy_(values)?;
        Ok((held.keys.f_narrow(2, 0, end)?, held.values.f_narrow(2, 0, end)?))
    }

    pub(super) fn advance(&mut self, step: i64) {
        self.length += step;
    }
}

impl Layer {
    fn grow(&mut self, length: i64, capacity: i64) -> Result<(), ModelError> {
        for tensor in [&mut self.keys, &mut self.values] {
            let (batch, heads, _, dim) = tensor.size4()?;
            let larger =
                tensor.f_new_empty([batch, heads, capacity, dim], (tensor.f_kind()?, tensor.device()))?;
            larger
                .f_narrow(2, 0, length)?
                .f_copy_(&tensor.f_narrow(2, 0, length)?)?;
            *tensor = larger;
        }
        Ok(())
    }
}
