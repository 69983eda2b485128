//! The only user of libtorch: models, and the operators that need them.
//!
//! `nn` knows tensors and families but no operators; `checkpoint` reads and writes Hugging Face folders; the operators
//! (`embed`, `tokenizer`, `train`, `evaluate`, `retrieve`) and the server (`generate`, `serve`) stand on the two.

pub mod checkpoint;
pub mod device;
mod error;
pub mod nn;
mod registry;

pub use error::ModelError;
pub use registry::registry;
