//! `embed`: sentence vectors, as an operator and for the server.
//!
//! `published` reads what an embedder came with, `batches` turns texts into packed tokens (for rerankers too),
//! `pooling` makes one vector of a text's hidden states.

pub(crate) mod batches;
mod embedder;
mod locate;
mod operator;
mod pooling;
mod published;

#[cfg(test)]
mod tests;

pub use twinloom_sdk::serving::Role;

pub use embedder::{Embedded, Embedder, EmbedderOptions};
pub(crate) use embedder::{copy_out, encoder, is_cut};
pub use locate::{above, embedder_dir, model_dir};
pub use operator::Embed;
