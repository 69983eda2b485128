//! The operator `tokenizer`, and what turns text and conversations into tokens.

mod bpe;
mod chat;
mod files;
mod run;
mod text;

#[cfg(test)]
mod tests;

pub use bpe::train_bpe;
pub use chat::{ChatTemplate, Message, Rendered, Rendering};
pub use files::{CHAT_TEMPLATE, TOKENIZER_FILES, write_files};
pub use run::TokenizerOperator;
pub use text::TextTokenizer;
