//! Forward passes of decoders, for generation, and of encoders, for embedding, on CPU.
//!
//! libtorch spends a third of a token's time on dispatching small operations, and its matrix products read weights that
//! are not laid out for single rows. Here weights are packed once for the way they are read (`packed`), a step runs any
//! mixture of sequences row by row (`decoder`), keys and values lie in pages that sequences may share (`pages`), and all of
//! it runs on a pool of threads that waits briefly and then sleeps (`cores`).
//!
//! Every row's result is computed in the same order whatever else is in the step, so a sequence's tokens do not depend on
//! its neighbours. No libtorch and no files here: a loader hands in rows of numbers.

mod attention;
mod cores;
mod decoder;
mod encoder;
mod level;
mod linear;
mod lora;
mod math;
mod memory;
mod packed;
mod pages;
#[cfg(target_arch = "x86_64")]
mod wide;

pub use cores::Cores;
pub use decoder::{Activation, Block, Decoder, Feed, Norm, Positions, Row, Spec, Step};
pub use encoder::{Encoder, EncoderLayer};
pub use level::Level;
pub use linear::Linear;
pub use lora::{Adapter, Low, Target};
pub use math::{argmax, normal_bf16};
pub use memory::read_bandwidth;
pub use packed::{Format, Packed};
pub use pages::{Kept, PAGE, Pages, Table};

/// What cannot be done with a model on this machine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// Sizes that do not belong together; a bug or a hostile file.
    #[error("{0}")]
    Shape(String),
    /// No free page is left for keys and values.
    #[error("no page of keys and values is free")]
    Full,
    /// The system gave no memory.
    #[error("{bytes} bytes of memory could not be had")]
    Memory {
        /// How many were asked for.
        bytes: usize,
    },
}
