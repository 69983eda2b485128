//! YAML text to a spanned tree, a typed spec and a validated plan. Pure: no I/O, no clock, no tokio.

mod catalog;
mod check;
mod diagnostic;
mod docs;
pub mod expr;
mod format;
mod load;
pub mod model;
mod plan;
mod read;
mod schema;
mod source;
mod yaml;

pub use catalog::*;
pub use diagnostic::{Diagnostic, Diagnostics, Label, codes};
pub use docs::reference_docs;
pub use format::format;
pub use load::{Library, duplicate_dag, kind_of, parse_dag, parse_pipeline, read_value};
pub use model::{Dag, Pipeline};
pub use plan::*;
pub use read::{Entry, NameMap, OneOrMany, Spanned};
pub use schema::{json_schema, pipeline_json_schema};
pub use source::SourceFile;
pub use yaml::{Data, Node, Pair, Span};
