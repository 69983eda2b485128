//! `chunk`: cuts cleaned documents into contiguous chunks, by structure, without losing a character.

mod code;
mod config;
mod cut;
mod markdown;
mod pack;
mod pieces;
mod plain;
mod run;
mod sections;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use pieces::{Piece, Shape, Syntax, split};
pub use run::{Chunk, chunk_rows};
