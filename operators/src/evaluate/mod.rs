//! `evaluate`: a candidate against its base and the production model on held-out text. `twinloom-torch` runs it.

mod config;
#[cfg(test)]
mod tests;

pub use config::{Config, Gate, Leakage, Memorisation, Style};

use twinloom_sdk::{OperatorInfo, Runs, records};

/// Name, ports, where it runs.
#[must_use]
pub fn info() -> OperatorInfo {
    OperatorInfo {
        name: "evaluate",
        version: "1",
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
        ],
        outputs: vec![records::dataset_out(
            "report",
            "Figures, intervals and the gate's verdict",
            &records::report(),
        )],
        open_ports: false,
        runs: Runs::Torch,
        cacheable: true,
    }
}
