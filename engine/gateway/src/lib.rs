//! The inference pipeline: retrieval, prompts, answers with citations, and a trace of every prompt.
//!
//! Knows models and collections, not DAGs. The libtorch worker does the arithmetic, in a process of its own.

mod answer;
mod error;
mod models;
mod prompt;
mod torch;
mod trace;

pub use answer::{Answer, Citation, Gateway, GatewayConfig, Question, Reranker};
pub use error::GatewayError;
pub use models::{Located, locate, released};
pub use torch::{Part, TorchWorker, Writing};
pub use trace::Trace;
pub use twinloom_sdk::serving::{Embed, Embedded, Generate, Generated, Role, Sampling};
