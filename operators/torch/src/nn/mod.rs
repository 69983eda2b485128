//! Models: encoders and decoders on libtorch, without an idea of operators or files' whereabouts.
//!
//! A decoder family is one file in `family` that turns its config.json into an [`Architecture`]: how it differs. The forward
//! pass works with autograd on; inference runs inside [`tch::no_grad`]. An [`lora::Adapter`] may sit on any linear: its
//! weights are held outside the base's, which stay as they were loaded.

pub mod architecture;
pub mod bert;
pub mod cache;
pub mod decoder;
mod family;
pub mod linear;
pub mod lora;
mod norm;
pub mod packing;
mod rope;
pub mod weight;

#[cfg(test)]
mod tests;

pub use architecture::Architecture;
pub use cache::KvCache;
pub use decoder::{Attend, Decoder, Layer, Pass, Step};
pub use linear::Linear;
pub use lora::{Adapter, AdapterConfig};
pub use rope::{RopeScaling, frequencies};
pub use weight::Weight;
