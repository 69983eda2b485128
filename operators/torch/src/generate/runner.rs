//! What runs a model's steps for the engine.

mod libtorch;
mod native;
mod slots;
#[cfg(test)]
mod tests;

pub use libtorch::Libtorch;
pub use native::{Native, NativeOptions};

use std::path::Path;

use crate::ModelError;

/// A sequence in a runner.
pub type Slot = usize;

/// Tokens that a sequence reads in a step.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The sequence.
    pub slot: Slot,
    /// The tokens, at least one.
    pub tokens: &'a [u32],
    /// Whether the logits after the last are wanted.
    pub wanted: bool,
}

/// A sequence that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Its name from now on.
    pub slot: Slot,
    /// Tokens at its start that need not be read: they were read for another.
    pub known: usize,
}

/// What a runner holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Room {
    /// Positions of keys and values that there is room for in all.
    pub positions: usize,
    /// Positions that a sequence could have now.
    pub free_positions: usize,
    /// Bytes of keys and values taken.
    pub bytes: usize,
    /// Adapters held.
    pub adapters: usize,
}

/// A model that reads several sequences at a time. It belongs to one thread.
pub trait Runner: Send {
    /// Tokens known.
    fn vocabulary(&self) -> usize;

    /// Positions that the model was made for.
    fn context(&self) -> usize;

    /// Lets a sequence in that starts with `tokens` and may grow to `most` positions; `None` when there is no room now.
    ///
    /// # Errors
    /// `model.input` when there never is, or for what is wrong with the adapter.
    fn open(
        &mut self,
        tokens: &[u32],
        most: usize,
        adapter: Option<&Path>,
    ) -> Result<Option<Opened>, ModelError>;

    /// Reads a piece of each of some sequences, and gives the wanted logits, one vocabulary after the other.
    ///
    /// # Errors
    /// What libtorch says.
    fn step(&mut self, pieces: &[Piece<'_>]) -> Result<Vec<f32>, ModelError>;

    /// Lets a sequence go.
    fn close(&mut self, slot: Slot);

    /// What is held.
    fn room(&self) -> Room;
}
