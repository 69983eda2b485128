//! `embed`: sentence vectors, as an operator and for the server.

mod embedder;
mod locate;
mod operator;

#[cfg(test)]
mod tests;

pub use embedder::{Embedded, Embedder, EmbedderOptions};
pub use locate::{above, embedder_dir};
pub use operator::Embed;
