//! Data in and out, in the formats of other tools.

mod card;
mod display;
mod export;
mod import;
mod json_lines;
mod sources;

pub use display::printable;
pub(crate) use export::export;
pub use export::{ExportFormat, ExportReport};
pub(crate) use import::import;
