//! Keys and values of what a decoder has read.

use tch::{Kind, Tensor};

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
    /// Rows and slots that there may be.
    plan: Option<(i64, i64)>,
    aim: Option<Aim>,
}

/// Which rows a step reads and writes.
#[derive(Debug)]
struct Aim {
    rows: Rows,
    /// `[sequences, step]`, Int64: where the step's tokens go in their rows.
    slots: Tensor,
    /// Rows and slots that there have to be.
    size: (i64, i64),
}

/// Rows of a step.
#[derive(Debug)]
enum Rows {
    /// So many, from the first on: nothing has to be gathered.
    First(i64),
    /// These, `[sequences]`, Int64.
    Listed(Tensor),
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

    /// Empty, for sequences that come and go: [`Self::plan`] says how many there may be, and [`Self::aim`] before each
    /// step which it is of.
    #[must_use]
    pub fn rows() -> Self {
        Self::new(0)
    }

    /// From now on there are at most so many rows, of so many slots. Nothing grows beyond that, and what lies beyond is
    /// given up where the other dimension has to grow.
    pub fn plan(&mut self, rows: i64, slots: i64) {
        self.plan = Some((rows, slots));
    }

    /// Gives all memory back.
    pub fn clear(&mut self) {
        self.layers.clear();
        self.length = 0;
    }

    /// The next step is of these rows, and its tokens go to these slots of theirs (`[sequences, step]`, Int64), the largest
    /// of which is below `total`. Attention is given the slots below `total`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn aim(&mut self, rows: &[i64], slots: &Tensor, total: i64) -> Result<(), ModelError> {
        let count = rows.len() as i64;
        let first = rows.iter().copied().eq(0..count);
        self.aim = Some(Aim {
            rows: if first {
                Rows::First(count)
            } else {
                Rows::Listed(Tensor::f_from_slice(rows)?.f_to_device(slots.device())?)
            },
            slots: slots.shallow_clone(),
            size: (rows.iter().copied().max().unwrap_or(0) + 1, total),
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
        let plan = self.plan.unwrap_or((i64::MAX, i64::MAX));
        if self.layers.len() <= layer {
            let capacity = most.max(self.reserve).min(plan.1.max(most));
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
        held.fit((rows, most), plan)?;
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
        let rows = match &self.rows {
            Rows::First(count) => Tensor::f_arange(*count, (Kind::Int64, self.slots.device()))?,
            Rows::Listed(rows) => rows.shallow_clone(),
        };
        let indices = [Some(rows.f_unsqueeze(1)?), None, Some(self.slots.shallow_clone())];
        let _ = held.f_index_put_(&indices, &step, false)?;
        let seen = held.f_narrow(2, 0, self.size.1)?;
        Ok(match &self.rows {
            Rows::First(count) => seen.f_narrow(0, 0, *count)?,
            Rows::Listed(rows) => seen.f_index_select(0, rows)?,
        })
    }
}

impl Layer {
    /// Grows to so many rows and slots: doubling, so that a step rarely copies, but never beyond the plan.
    fn fit(&mut self, needed: (i64, i64), plan: (i64, i64)) -> Result<(), ModelError> {
        let (held_rows, _, held_slots, _) = self.keys.size4()?;
        if needed.0 <= held_rows && needed.1 <= held_slots {
            return Ok(());
        }
        let larger = |needed: i64, held: i64, plan: i64| {
            let wanted = if needed > held {
                needed.max(held.saturating_mul(2))
            } else {
                held
            };
            wanted.min(plan.max(needed))
        };
        let (rows, slots) = (
            larger(needed.0, held_rows, plan.0),
            larger(needed.1, held_slots, plan.1),
        );
        let (kept_rows, kept_slots) = (rows.min(held_rows), slots.min(held_slots));
        for tensor in [&mut self.keys, &mut self.values] {
            let (_, heads, _, dim) = tensor.size4()?;
            let larger =
                tensor.f_new_zeros([rows, heads, slots, dim], (tensor.f_kind()?, tensor.device()))?;
            let kept = |tensor: &Tensor| tensor.f_narrow(0, 0, kept_rows)?.f_narrow(2, 0, kept_slots);
            kept(&larger)?.f_copy_(&kept(tensor)?)?;
            *tensor = larger;
        }
        Ok(())
    }
}
