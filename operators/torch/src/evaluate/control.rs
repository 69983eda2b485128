//! Others' text: what the candidate gains on it, it has not learnt of the author.

use futures::TryStreamExt;
use serde::Deserialize;
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::ReadOptions;

use crate::train::{documents::texts, rows::Row};

/// Short texts of many kinds, written for this project.
const SHIPPED: &str = include_str!("sets/control.jsonl");

/// Characters of a text that are measured.
const MOST_CHARS: usize = 1500;

#[derive(Deserialize)]
struct Text {
    title: String,
    text: String,
}

/// At most `most` rows: of the input `control` where it is connected, else of the shipped set.
///
/// # Errors
/// What the store says.
pub async fn control(context: &Context, most: usize) -> Result<Vec<Row>, OperatorError> {
    if most == 0 {
        return Ok(Vec::new());
    }
    if context.inputs("control").is_empty() {
        return Ok(shipped()?.into_iter().take(most).collect());
    }
    let manifest = context.dataset("control").await?;
    let options = ReadOptions {
        columns: Some(["id", "title", "text"].map(str::to_owned).to_vec()),
        limit: Some(most),
        ..ReadOptions::default()
    };
    let mut batches = context.store().read(&manifest, options);
    let mut rows = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        let (ids, titles, bodies) = (
            texts(&batch, "id")?,
            texts(&batch, "title")?,
            texts(&batch, "text")?,
        );
        for ((id, title), text) in ids.iter().zip(titles).zip(bodies) {
            if let (Some(id), Some(text)) = (id, text.filter(|text| !text.trim().is_empty())) {
                rows.push(row(id, title.unwrap_or("a text"), text));
            }
        }
    }
    rows.truncate(most);
    Ok(rows)
}

/// The shipped set.
///
/// # Errors
/// `evaluate.set` where it cannot be read, which a test rules out.
pub fn shipped() -> Result<Vec<Row>, OperatorError> {
    let read = |line: &str| -> Result<Row, OperatorError> {
        let Text { title, text } =
            serde_json::from_str(line).map_err(|error| OperatorError::bug("evaluate.set", error))?;
        Ok(row(&title, &title, &text))
    };
    SHIPPED.lines().map(read).collect()
}

fn row(id: &str, title: &str, text: &str) -> Row {
    Row {
        document: id.to_owned(),
        instruction: format!("Write: {title}"),
        answer: text.chars().take(MOST_CHARS).collect(),
        eval: true,
    }
}
