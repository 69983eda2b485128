//! Preference rows, as a stream: a prompt with a better and a worse answer.

use futures::{Stream, StreamExt, stream};
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::ReadOptions;

use super::{
    documents::texts,
    rows::{Row, is_eval},
};

/// All pairs of the input `preferences`, in the order of the dataset: the row with the better answer, and the worse
/// answer. Pairs with an empty or with equal answers are left out.
///
/// # Errors
/// `input.missing`, or what the store says.
pub async fn pairs(
    context: &Context,
) -> Result<impl Stream<Item = Result<(Row, String), OperatorError>> + Send + Unpin + use<>, OperatorError> {
    let manifest = context.dataset("preferences").await?;
    let columns = ["prompt", "chosen", "rejected", "split"]
        .map(str::to_owned)
        .to_vec();
    let options = ReadOptions {
        columns: Some(columns),
        ..ReadOptions::default()
    };
    let batches = context.store().read(&manifest, options);
    Ok(batches
        .map(|batch| {
            let batch = batch.map_err(OperatorError::from);
            let found = match batch.and_then(|batch| pick(&batch)) {
                Ok(found) => found.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(found)
        })
        .flatten()
        .boxed())
}

fn pick(batch: &arrow::array::RecordBatch) -> Result<Vec<(Row, String)>, OperatorError> {
    let (prompts, splits) = (texts(batch, "prompt")?, texts(batch, "split")?);
    let (chosen, rejected) = (texts(batch, "chosen")?, texts(batch, "rejected")?);
    let mut found = Vec::new();
    for (((prompt, better), worse), split) in prompts.iter().zip(chosen).zip(rejected).zip(splits) {
        let (Some(prompt), Some(better), Some(worse)) = (prompt, better, worse) else {
            continue;
        };
        let empty = better.trim().is_empty() || worse.trim().is_empty();
        if empty || better == worse {
            continue;
        }
        let row = Row {
            document: String::new(),
            instruction: prompt.to_owned(),
            answer: better.to_owned(),
            eval: is_eval("preferences", prompt, split)?,
        };
        found.push((row, worse.to_owned()));
    }
    Ok(found)
}
