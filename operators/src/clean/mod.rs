//! `clean`: takes site chrome out of documents and leaves the author's text, code and structure as they are.

mod article;
mod byline;
mod chrome;
mod config;
mod document;
mod html;
mod medium;
mod post;
mod run;
mod strip;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use document::{Cleaned, Raw, clean};
pub use run::{Clean, clean_rows};
pub use strip::text as html_text;
