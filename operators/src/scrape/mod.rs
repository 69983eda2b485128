//! `scrape`: reads what a person has written, from repositories, folders, JSON lines, feeds and pages, as it is.

mod classify;
mod config;
mod document;
mod feed;
mod folder;
mod git;
pub(crate) mod http;
mod job;
mod jsonl;
mod keep;
mod page;
mod run;
mod sink;
#[cfg(test)]
mod tests;

pub use config::{Category, Config, Feed, Folder, Git, Jsonl, Limits, Oversize, Page, Source};
pub use run::Scrape;
