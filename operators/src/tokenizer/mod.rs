//! `tokenizer`: trains a byte-level BPE tokenizer on the documents of the training side. `twinloom-torch` runs it.

mod config;
#[cfg(test)]
mod tests;

pub use config::{Config, SPECIAL_TOKENS, SpecialToken};

use twinloom_sdk::{OperatorInfo, Runs, records};

/// Name, ports, where it runs.
#[must_use]
pub fn info() -> OperatorInfo {
    OperatorInfo {
        name: "tokenizer",
        version: "1",
        summary: "Trains a byte-level BPE tokenizer, with a chat template, on the documents that are not held out.",
        inputs: vec![
            records::dataset_in(
                "documents",
                "The texts to train on",
                &records::cleaned_documents(),
                &["id", "title", "text"],
            ),
            records::optional(records::dataset_in(
                "instruct",
                "Documents with rows of split=eval here are left out as well",
                &records::instruct(),
                &["document_id", "split"],
            )),
        ],
        outputs: vec![records::model_port(
            "tokenizer",
            "tokenizer.json and tokenizer_config.json",
        )],
        open_ports: false,
        runs: Runs::Torch,
        cacheable: true,
    }
}
