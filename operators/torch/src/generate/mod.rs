//! Text generation.
//!
//! [`TextModel`] writes one text at a time on libtorch, with the weights as training has them: evaluation uses it.
//! [`Engine`] is the serving side: a thread that owns a [`Runner`] and lets requests join and leave between steps.

mod engine;
mod model;
mod packed;
mod runner;
mod sampling;
mod text;

#[cfg(test)]
mod tests;

pub use engine::{Engine, EngineOptions, Event, Request, Stats};
pub use model::{TextModel, ends, fit};
pub use packed::{pack, pack_adapter, unsuited};
pub use runner::{Libtorch, Native, NativeOptions, Opened, Piece, Room, Runner, Slot};
pub use sampling::{Sampler, check, logprob};
pub use text::TextWriter;
pub use twinloom_sdk::serving::{Finish, Generated, Logprob, Sampling};
