//! Keys and values of what a decoder has read.

use tch::Tensor;

use crate::ModelError;

/// One layer's keys and values, `[batch, kv heads, capacity, head_dim]`; grown by doubling.
#[derive(Debug)]
struct Layer {
    keys: Tensor,
    values: Tensor,
}

/// The cache of one batch of sequences of equal length ([`Self::new`]), or of sequences that come and go, each in a row of
/// its own ([`Self::rows`]). Use it without gradients.
#[derive(Debug, Default)]
pub struct KvCache {
    layers: Vec<Layer>,
    length: i64,
    reserve: i64,
    aim: Option<Aim>,
}

/// Which rows a step reads and writes.
#[derive(Debug)]
struct Aim {
    /// `[sequences]`, Int64.
    rows: Tensor,
    /// `[sequences, step]`, Int64: where the step's tokens go in their rows.
    slots: Tensor,
    /// Rows and slots that there have to be.
    size: (i64, i64),
}

impl KvCache {
    /// Empty, with room for `reserve` positions before it has to grow.
    #[must_use]
    pub fn new(reserve: i64) -> Self {
        Self {
            reserve: reserve.max(16),
            ..Self::default()
        }
    }

    /// Empty, for sequences that come and go: [`Self::aim`] says before each step which.
    #[must_use]
    pub fn rows() -> Self {
        Self::new(0)
    }

    /// The next step is of these rows (`[sequences]`, Int64), and its tokens go to these slots of theirs (`[sequences,
    /// step]`, Int64), the largest of which is below `total`. Attention is given the slots below `total`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn aim(&mut self, rows: &Tensor, slots: &Tensor, total: i64) -> Result<(), ModelError> {
        self.aim = Some(Aim {
            rows: rows.shallow_clone(),
            slots: slots.shallow_clone(),
            size: (rows.f_max()?.f_int64_value(&[])? + 1, total),
        });
        Ok(())
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

    /// Bytes taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let size = |tensor: &Tensor| tensor.numel() * tensor.kind().elt_size_in_bytes();
        self.layers
            .iter()
            .map(|layer| size(&layer.keys) + size(&layer.values))
            .sum()
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
        let (rows, most) = self.aim.as_ref().map_or((batch, end), |aim| aim.size);
        if self.layers.len() <= layer {
            let capacity = most.max(self.reserve);
            let room = || keys.f_new_zeros([rows, heads, capacity, dim], (keys.f_kind()?, keys.device()));
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
        held.fit(rows, most)?;
        let Some(aim) = &self.aim else {
            held.keys.f_narrow(2, self.length, step)?.f_copy_(keys)?;
            held.values.f_narrow(2, self.length, step)?.f_copy_(values)?;
            return Ok((held.keys.f_narrow(2, 0, end)?, held.values.f_narrow(2, 0, end)?));
        };
        Ok((
            aim.exchange(&mut held.keys, keys)?,
            aim.exchange(&mut held.values, values)?,
        ))
    }

    pub(super) fn advance(&mut self, step: i64) {
        if self.aim.is_none() {
            self.length += step;
        }
    }
}

impl Aim {
    /// Writes a step's part into the rows, and gives these rows.
    fn exchange(&self, held: &mut Tensor, step: &Tensor) -> Result<Tensor, ModelError> {
        // Indices of the first and third dimension bring these to the front.
        let step = step.f_transpose(1, 2)?;
        let indices = [
            Some(self.rows.f_unsqueeze(1)?),
            None,
            Some(self.slots.shallow_clone()),
        ];
        let _ = held.f_index_put_(&indices, &step, false)?;
        Ok(held.f_narrow(2, 0, self.size.1)?.f_index_select(0, &self.rows)?)
    }
}

impl Layer {
    /// Grows to so many rows and slots; doubling, so that a step rarely copies.
    fn fit(&mut self, rows: i64, slots: i64) -> Result<(), ModelError> {
        let (held_rows, _, held_slots, _) = self.keys.size4()?;
        if rows <= held_rows && slots <= held_slots {
            return Ok(());
        }
        let rows = if rows > held_rows {
            rows.max(held_rows * 2)
        } else {
            held_rows
        };
        let slots = if slots > held_slots { slots * 2 } else { held_slots };
        for tensor in [&mut self.keys, &mut self.values] {
            let (_, heads, _, dim) = tensor.size4()?;
            let larger =
                tensor.f_new_zeros([rows, heads, slots, dim], (tensor.f_kind()?, tensor.device()))?;
            larger
                .f_narrow(0, 0, held_rows)?
                .f_narrow(2, 0, held_slots)?
                .f_copy_(tensor)?;
            *tensor = larger;
        }
        Ok(())
    }
}
