//! Text helpers that several operators share: decoding, styled letters, languages, lines, near-duplicates, columns and
//! rows of text.

pub mod columns;
pub mod decode;
pub mod language;
pub mod lines;
pub mod near;
pub mod rows;
pub mod styled;

#[cfg(test)]
mod tests;
