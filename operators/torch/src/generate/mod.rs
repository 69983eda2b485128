//! Text generation: a decoder with its tokenizer, a cache, and a way to pick tokens.

mod model;
mod sampling;

#[cfg(test)]
mod tests;

pub use model::{Finish, Generated, TextModel};
pub use sampling::{Sampler, Sampling};
