//! The only user of libtorch: models, and the operators that need them.
//!
//! `nn` knows tensors and families but no operators; `checkpoint` reads and writes Hugging Face folders; the operators
//! (`embed`, `tokenizer`, `train`, `evaluate`, `retrieve`) and the server (`generate`, `serve`) stand on the two. A Tensor is
//! `Send`, not `Sync`: a model belongs to one thread at a time.

pub mod bench;
pub mod checkpoint;
pub mod device;
pub mod embed;
mod error;
pub mod evaluate;
pub mod generate;
pub mod inspect;
pub mod nn;
mod one;
mod registry;
pub mod rerank;
pub mod retrieve;
mod seeded;
pub mod serve;
#[cfg(test)]
mod testing;
pub mod tokenizer;
pub mod train;
pub mod weights;

pub use error::ModelError;
pub use registry::registry;
