//! Sequences laid end to end.

use tch::Tensor;

use crate::ModelError;

/// Sequences laid end to end; those of equal length that follow each other go through attention together.
#[derive(Debug, Default)]
pub struct Packed {
    pub(super) ids: Vec<i64>,
    pub(super) positions: Vec<i64>,
    /// Of each token: 0 in the first text of a pair, 1 in the second.
    pub(super) texts: Vec<i64>,
    /// Whether any text is a second one.
    pub(super) second: bool,
    pub(super) runs: Vec<Run>,
}

/// Sequences of equal length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Its first token.
    pub start: i64,
    /// How many sequences it has.
    pub count: i64,
    /// Tokens of each.
    pub length: i64,
}

impl Packed {
    /// Adds a sequence of token ids; an empty one is passed over.
    pub fn push(&mut self, ids: &[u32]) {
        self.push_pair(ids, &[]);
    }

    /// Adds a sequence of which each token is of the first text (0) or the second (1); tokens that are not told of are
    /// of the first.
    pub fn push_pair(&mut self, ids: &[u32], texts: &[u32]) {
        let length = ids.len() as i64;
        if length == 0 {
            return;
        }
        let start = self.ids.len() as i64;
        let texts = texts.iter().copied().chain(std::iter::repeat(0));
        self.ids.extend(ids.iter().map(|&id| i64::from(id)));
        self.texts.extend(texts.take(ids.len()).map(i64::from));
        let from = usize::try_from(start).unwrap_or_default();
        self.second |= self.texts.iter().skip(from).any(|text| *text > 0);
        self.positions.extend(0..length);
        match self.runs.last_mut() {
            Some(run) if run.length == length => run.count += 1,
            _ => self.runs.push(Run {
                start,
                count: 1,
                length,
            }),
        }
    }

    /// Tokens in all.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// A row for each sequence, `[sequences, values]`: what `pool` makes of the hidden states of sequences of equal
    /// length, `[sequences, length, hidden]`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn pool(
        &self,
        hidden: &Tensor,
        pool: impl Fn(&Tensor) -> Result<Tensor, ModelError>,
    ) -> Result<Tensor, ModelError> {
        let width = hidden.size2()?.1;
        let of_run = |run: &Run| {
            pool(
                &hidden
                    .f_narrow(0, run.start, run.count * run.length)?
                    .f_view([run.count, run.length, width])?,
            )
        };
        let pooled = self.runs.iter().map(of_run).collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::f_cat(&pooled, 0)?)
    }
}
