//! The card of a trained model: what it is, and exactly what it was made from.

use std::fmt::Write;

use serde_json::Value;
use twinloom_operators::train::{Config, Method};
use twinloom_sdk::Context;

use super::{Curve, base::Base};

/// Markdown with the front matter that Hugging Face reads. Nothing in it depends on when or how fast it was trained.
pub fn card(context: &Context, config: &Config, base: Option<&Base>, about: &Value, curve: &Curve) -> String {
    let mut text = String::from("---\n");
    match base {
        Some(base) if config.method.adapts() => {
            let _ = write!(text, "library_name: peft\nbase_model: {:?}\n", base.name());
        }
        _ => text.push_str("library_name: transformers\n"),
    }
    let _ = write!(text, "pipeline_tag: text-generation\ntags: [twinloom]\n---\n\n");
    let _ = match config.method {
        Method::Pretrain => writeln!(text, "# A small Llama, pre-trained from nothing\n"),
        method => {
            let what = if method.adapts() {
                "An adapter on"
            } else {
                "Fine-tuned from"
            };
            let name = base.map(Base::name).unwrap_or_default();
            writeln!(text, "# {what} `{name}` ({})\n", method.as_str())
        }
    };
    text.push_str("## Made from\n\n");
    for input in context.input_versions() {
        let _ = writeln!(
            text,
            "- {}: `{}`, content {}",
            input.port, input.id, input.id.hash
        );
    }
    if let Some(base) = base.filter(|base| base.id.is_none()) {
        let _ = writeln!(text, "- base: `{}`", base.name());
    }
    let _ = write!(
        text,
        "\nDocuments of the held-out split were not trained on.\n\n## Figures\n\n"
    );
    let _ = writeln!(text, "- {} steps, {} tokens predicted", curve.steps, curve.tokens);
    let (first, last) = curve.train;
    let _ = writeln!(
        text,
        "- training loss {first:.4} at the start, {last:.4} at the end (nats a token)"
    );
    if let [first, .., last] = curve.held.as_slice() {
        let _ = writeln!(
            text,
            "- held-out loss {:.4} before, {:.4} after",
            first.loss, last.loss
        );
        text.push_str("\n| step | held-out loss |\n|---:|---:|\n");
        for point in &curve.held {
            let _ = writeln!(text, "| {} | {:.4} |", point.step, point.loss);
        }
    }
    let settings = serde_json::to_value(config).unwrap_or_default();
    let _ = write!(
        text,
        "\n## Settings\n\n```json\n{settings:#}\n```\n\n```json\n{about:#}\n```\n"
    );
    text
}
