//! Every chunk against every query.

use arrow::array::{Array, FixedSizeListArray, Float32Array, Int32Array, RecordBatch};
use futures::TryStreamExt;
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::ReadOptions;

use super::Found;
use crate::train::documents::texts;

/// The `k` best chunks of each query vector, best first; ties go by document and chunk.
///
/// # Errors
/// `retrieve.dimension` when the chunks were embedded by another model, or what the store says.
pub async fn search(
    context: &Context,
    vectors: &[Vec<f32>],
    k: usize,
) -> Result<Vec<Vec<Found>>, OperatorError> {
    let manifest = context.dataset("chunks").await?;
    let mut rows = context.store().read(&manifest, ReadOptions::default());
    let mut best: Vec<Vec<Found>> = vec![Vec::new(); vectors.len()];
    let mut done = 0;
    while let Some(batch) = rows.try_next().await? {
        context.check_cancelled()?;
        for (vector, found) in vectors.iter().zip(&mut best) {
            offer(&batch, vector, found, k)?;
        }
        done += batch.num_rows() as u64;
        context.progress(done, Some(manifest.data.rows), "chunks");
    }
    Ok(best)
}

fn offer(batch: &RecordBatch, query: &[f32], best: &mut Vec<Found>, k: usize) -> Result<(), OperatorError> {
    let lists = column::<FixedSizeListArray>(batch, "vector")?;
    let values = lists
        .values()
        .as_any()
        .downcast_ref::<Float32Array>()
        .ok_or_else(|| wrong("vector"))?;
    let dimension = usize::try_from(lists.value_length()).unwrap_or_default();
    if dimension != query.len() {
        return Err(OperatorError::config(
            "retrieve.dimension",
            format!(
                "the chunks have vectors of {dimension} values, the embedder makes {}",
                query.len()
            ),
            "Set `model` to the embedder that the chunks were embedded with.",
        ));
    }
    let scores = values
        .values()
        .chunks_exact(dimension.max(1))
        .map(|vector| cosine(vector, query));
    for (row, score) in scores.enumerate().take(batch.num_rows()) {
        if best.len() < k || best.last().is_some_and(|last| score >= last.score) {
            best.push(found(batch, row, score)?);
            best.sort_by(|a, b| {
                b.score
                    .total_cmp(&a.score)
                    .then_with(|| a.document.cmp(&b.document))
                    .then(a.chunk.cmp(&b.chunk))
            });
            best.truncate(k);
        }
    }
    Ok(())
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
    let size = (dot(a, a) * dot(b, b)).sqrt();
    if size > 0.0 { dot(a, b) / size } else { 0.0 }
}

fn found(batch: &RecordBatch, row: usize, score: f32) -> Result<Found, OperatorError> {
    let text = |name: &str| -> Result<Option<String>, OperatorError> {
        let column = texts(batch, name)?;
        Ok((row < column.len() && !column.is_null(row)).then(|| column.value(row).to_owned()))
    };
    let chunk = column::<Int32Array>(batch, "chunk")?;
    Ok(Found {
        document: text("document_id")?.unwrap_or_default(),
        chunk: if row < chunk.len() { chunk.value(row) } else { 0 },
        score,
        title: text("title")?,
        link: text("link")?,
        text: text("text")?.unwrap_or_default(),
    })
}

fn column<'a, A: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A, OperatorError> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<A>())
        .ok_or_else(|| wrong(name))
}

fn wrong(name: &str) -> OperatorError {
    OperatorError::data(
        "data.column",
        format!("the dataset has no column `{name}` of the kind that embedded chunks have"),
        "Connect the output of `embed`.",
    )
}
