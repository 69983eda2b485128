//! The operators, and the registry that lists them.

pub mod approve;
mod base;
pub mod chunk;
pub mod clean;
pub mod command;
pub mod embed;
pub mod evaluate;
#[cfg(test)]
mod harness;
pub mod index;
pub mod instruct;
pub mod promote;
pub mod retrieve;
pub mod scrape;
pub mod split;
pub mod text;
pub mod tokenizer;
pub mod train;

use twinloom_sdk::{Registry, RowWise};

/// The explicit list. Operators that `twinloom-torch` runs are known here by configuration and ports alone.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(command::Command)
        .with(instruct::Instruct)
        .with(promote::Promote)
        .with(index::Index)
        .with(approve::Approve)
        .with(RowWise::new(chunk::Chunk))
        .with(scrape::Scrape)
        .with(RowWise::new(clean::Clean))
        .with_external_salted(embed::info(), embed::salt)
        .with_external_salted(evaluate::info(), evaluate::salt)
        .with_external_salted(retrieve::info(), retrieve::salt)
        .with_external::<tokenizer::Config>(tokenizer::info())
        .with_external_salted(train::info(), train::salt)
}
