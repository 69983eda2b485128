//! Text helpers that several operators share: decoding, styled letters, languages, lines, columns of text.

pub mod columns;
pub mod decode;
pub mod language;
pub mod lines;
pub mod styled;

#[cfg(test)]
mod tests;
