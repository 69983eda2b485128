//! `train`: pre-trains a small base model, or fine-tunes a base with LoRA. `twinloom-torch` runs it.

mod config;
#[cfg(test)]
mod tests;

pub use config::{Config, Method, Precision, Projection, Schedule, Size};

use twinloom_sdk::{OperatorInfo, Runs, records};

/// Name, ports, where it runs.
#[must_use]
pub fn info() -> OperatorInfo {
    let documents = records::cleaned_documents();
    OperatorInfo {
        name: "train",
        version: "1",
        summary: "Pre-trains a small base model from documents, or fine-tunes a base on instruct rows with LoRA.",
        inputs: vec![
            records::optional(records::dataset_in(
                "documents",
                "pretrain: the texts to learn from",
                &documents,
                &["id", "title", "text"],
            )),
            records::optional(records::dataset_in(
                "instruct",
                "lora: the rows to learn from; pretrain: its held-out documents are left out",
                &records::instruct(),
                &["document_id", "instruction", "answer", "split"],
            )),
            records::optional(records::model_port(
                "tokenizer",
                "pretrain: the tokenizer of the model",
            )),
            records::optional(records::model_port("base", "lora: the model to fine-tune")),
        ],
        outputs: vec![records::model_port(
            "model",
            "A Hugging Face checkpoint, or a PEFT adapter",
        )],
        open_ports: false,
        runs: Runs::Torch,
        cacheable: true,
    }
}
