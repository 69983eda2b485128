//! `evaluate`: a candidate against its base and the production model on held-out text. `twinloom-torch` runs it.

mod config;
pub mod judge;
mod page;
pub mod report;
#[cfg(test)]
mod tests;

pub use config::{Ability, Config, Control, Gate, JudgeConfig, Leakage, Memorisation, Style};
pub use page::page;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use twinloom_sdk::{OperatorInfo, Runs, records};

/// `page`: key `name`; the report as files: `report.html` for people and `report.json` for programs.
#[must_use]
pub fn page_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        text("name"),
        text("media_type"),
        text("content"),
    ]))
}

/// Which model `base_path` means: a folder may get other files, a name on the hub another commit.
#[must_use]
pub fn salt(config: &Config) -> Option<String> {
    crate::base::base_identity(config.base_path.as_ref()?)
}

/// Name, ports, where it runs.
#[must_use]
pub fn info() -> OperatorInfo {
    OperatorInfo {
        name: "evaluate",
        version: "3",
        summary: "Compares a candidate with its base and with production on held-out text, and passes the gate or not.",
        inputs: vec![
            records::model_port("candidate", "The model to judge"),
            records::optional(records::model_port(
                "base",
                "What it is compared with; its own base without it",
            )),
            records::optional(records::model_port(
                "production",
                "The model in use, if there is one",
            )),
            records::dataset_in(
                "instruct",
                "Rows of both splits",
                &records::instruct(),
                &["document_id", "instruction", "answer", "split"],
            ),
            records::optional(records::dataset_in(
                "control",
                "Texts of others, in place of the shipped ones",
                &records::cleaned_documents(),
                &["id", "title", "text"],
            )),
        ],
        outputs: vec![
            records::dataset_out(
                "report",
                "Figures, intervals and the gate's verdict",
                &records::report(),
            ),
            records::dataset_out("page", "The report as HTML and as JSON", &page_schema()),
        ],
        open_ports: false,
        runs: Runs::Torch,
        cacheable: true,
    }
}
