//! Documents of one side of the split, as a stream.

use std::{collections::HashSet, sync::Arc};

use arrow::array::{Array, RecordBatch, StringArray};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use twinloom_operators::split::{Split, group_key, split_of};
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::ReadOptions;

/// A side of the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Trained on.
    Train,
    /// Held out.
    Eval,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: String,
    /// Its text.
    pub text: String,
}

/// Ids that the input `instruct` holds out; empty where it is not connected.
///
/// # Errors
/// What the store says.
pub async fn held_out(context: &Context) -> Result<HashSet<String>, OperatorError> {
    let mut held = HashSet::new();
    if context.inputs("instruct").is_empty() {
        return Ok(held);
    }
    let manifest = context.dataset("instruct").await?;
    let columns = Some(vec!["document_id".to_owned(), "split".to_owned()]);
    let mut rows = context.store().read(
        &manifest,
        ReadOptions {
            columns,
            ..ReadOptions::default()
        },
    );
    while let Some(batch) = rows.try_next().await? {
        let (ids, splits) = (texts(&batch, "document_id")?, texts(&batch, "split")?);
        let eval = ids
            .iter()
            .zip(splits)
            .filter(|(_, split)| *split == Some(Split::Eval.as_str()));
        held.extend(eval.filter_map(|(id, _)| id.map(str::to_owned)));
    }
    Ok(held)
}

/// Documents of one side of the input `documents`, in the order of the dataset: held out are those in `held` and those
/// whose group falls into `eval_share`.
///
/// # Errors
/// `input.missing`, or what the store says.
pub async fn documents(
    context: &Context,
    held: &HashSet<String>,
    eval_share: f64,
    side: Side,
) -> Result<impl Stream<Item = Result<Document, OperatorError>> + Send + Unpin + use<>, OperatorError> {
    let manifest = context.dataset("documents").await?;
    let columns = Some(["id", "title", "text"].map(str::to_owned).to_vec());
    let rows = context.store().read(
        &manifest,
        ReadOptions {
            columns,
            ..ReadOptions::default()
        },
    );
    let held = Arc::new(held.clone());
    Ok(rows
        .map(move |batch| {
            let held = Arc::clone(&held);
            let wanted = move |id: &str, title: Option<&str>, text: &str| {
                let eval = held.contains(id) || split_of(&group_key(title, text), eval_share) == Split::Eval;
                eval == (side == Side::Eval)
            };
            let found: Vec<Result<Document, OperatorError>> = match batch
                .map_err(OperatorError::from)
                .and_then(|batch| pick(&batch, wanted))
            {
                Ok(found) => found.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(found)
        })
        .flatten()
        .boxed())
}

fn pick(
    batch: &RecordBatch,
    wanted: impl Fn(&str, Option<&str>, &str) -> bool,
) -> Result<Vec<Document>, OperatorError> {
    let (ids, titles, bodies) = (texts(batch, "id")?, texts(batch, "title")?, texts(batch, "text")?);
    let mut found = Vec::new();
    for ((id, title), text) in ids.iter().zip(titles).zip(bodies) {
        let (Some(id), Some(text)) = (id, text) else {
            continue;
        };
        if !text.trim().is_empty() && wanted(id, title, text) {
            found.push(Document {
                id: id.to_owned(),
                text: text.to_owned(),
            });
        }
    }
    Ok(found)
}

/// A text column of a batch.
///
/// # Errors
/// `data.column` when it is not there or not text.
pub fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, OperatorError> {
    let column = batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<StringArray>());
    column.ok_or_else(|| {
        OperatorError::data(
            "data.column",
            format!("the dataset has no text column `{name}`"),
            "Connect the output of an operator whose rows have it; `twinloom dataset show` lists columns.",
        )
    })
}
