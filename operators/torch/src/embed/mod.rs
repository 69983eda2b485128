//! `embed`: sentence vectors, as an operator and for the server.

mod embedder;
mod operator;

#[cfg(test)]
mod tests;

pub use embedder::{Embedded, Embedder, EmbedderOptions};
pub use operator::{Embed, embedder_dir};
