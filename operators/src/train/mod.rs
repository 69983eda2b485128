//! `train`: pre-trains a small base model, or fine-tunes a base. `twinloom-torch` runs it.

mod config;
#[cfg(test)]
mod tests;

pub use config::{
    Config, LossOn, Method, MicroBatch, Optimizer, Precision, Quantization, Schedule, Size, Targets,
};

use twinloom_sdk::{OperatorInfo, Runs, records};

/// Which model `base_path` means: a folder may get other files, a name on the hub another commit.
#[must_use]
pub fn salt(config: &Config) -> Option<String> {
    crate::base::base_identity(config.base_path.as_ref()?)
}

/// Name, ports, where it runs.
#[must_use]
pub fn info() -> OperatorInfo {
    let documents = records::cleaned_documents();
    OperatorInfo {
        name: "train",
        version: "3",
        summary: "Pre-trains a small base model from documents, or fine-tunes a base on instruct rows or preferences.",
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
            records::optional(records::dataset_in(
                "preferences",
                "preference: rows with a prompt, a chosen and a rejected answer",
                &records::preferences(),
                &["prompt", "chosen", "rejected", "split"],
            )),
            records::optional(records::model_port(
                "base",
                "all but pretrain: the model to fine-tune",
            )),
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
