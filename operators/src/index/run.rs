//! The operator: brings the collection to the version at its input, by difference where it can.

use std::{path::PathBuf, sync::Arc};

use arrow::{
    array::{Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome, Runs, records};
use twinloom_store::{
    Name,
    vectors::{self, IndexState, Metric, SyncMode, VectorError},
};

use super::Config;

/// The operator `index`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Index;

#[async_trait]
impl Operator for Index {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        let needs = [
            "document_id",
            "chunk",
            "category",
            "author",
            "link",
            "title",
            "text",
            "start",
            "end",
            "vector",
        ];
        let chunks = records::embedded_chunks(1);
        OperatorInfo {
            name: "index",
            version: "1",
            summary: "Keeps a collection of the vector index in step with embedded chunks.",
            inputs: vec![records::dataset_in("chunks", "Embedded chunks.", &chunks, &needs)],
            outputs: vec![records::dataset_out(
                "state",
                "What the collection holds, one row.",
                &state(),
            )],
            open_ports: false,
            runs: Runs::Process,
            // The collection is outside of the store and may be lost; where nothing changed this is a look.
            cacheable: false,
        }
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        let folder = folder(context, &config)?;
        let manifest = context.dataset("chunks").await?;
        let sync = vectors::sync(context.store(), &folder, &manifest);
        let report = tokio::select! {
            report = sync => report.map_err(vector_error)?,
            () = context.cancellation().cancelled() => {
                context.check_cancelled()?;
                return Err(OperatorError::bug("index.cancelled", "a task was cancelled and not cancelled"));
            }
        };
        if let Some(reason) = &report.reason {
            context.info(format!(
                "built the collection `{}` anew: {reason}",
                config.collection
            ));
        }
        let mut writer = context.stage_dataset("state", state(), &["collection"])?;
        writer.write(row(&config.collection, &report.state)?).await?;
        let mode = match report.mode {
            SyncMode::Unchanged => "unchanged",
            SyncMode::Incremental => "incremental",
            SyncMode::Rebuilt => "rebuilt",
        };
        let done = Done::new()
            .metric("mode", mode)
            .metric("vectors", report.state.count)
            .metric("dimension", report.state.dimension)
            .metric("upserted", report.upserted)
            .metric("entities_removed", report.removed);
        Ok(done.dataset("state", writer.finish().await?).into())
    }
}

/// `state`: key `collection`; `backend`, the dataset `source` and the `version` of it that the collection reflects,
/// `vectors`, `dimension`, `metric`.
#[must_use]
pub fn state() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("collection", DataType::Utf8, false),
        Field::new("backend", DataType::Utf8, false),
        Field::new("source", DataType::Utf8, false),
        Field::new("version", DataType::Int64, false),
        Field::new("vectors", DataType::Int64, false),
        Field::new("dimension", DataType::Int32, false),
        Field::new("metric", DataType::Utf8, false),
    ]))
}

fn folder(context: &Context, config: &Config) -> Result<PathBuf, OperatorError> {
    let name = Name::new(config.collection.clone()).map_err(|_| {
        OperatorError::config(
            "index.collection",
            format!(
                "`{}` is not a name of a collection",
                config.collection.escape_debug()
            ),
            "Set `collection` to 1 to 128 of a-z, 0-9, `_`, `-` and `.`, starting with a letter or digit.",
        )
    })?;
    Ok(context.vectors().join(name.as_str()))
}

fn row(collection: &str, state: &IndexState) -> Result<RecordBatch, OperatorError> {
    let too_large = |_| OperatorError::bug("index.count", "a count is out of range");
    let (source, version) = state
        .source
        .as_ref()
        .map_or(("", 0), |id| (id.name.as_str(), id.version));
    let text = |text: &str| Arc::new(StringArray::from(vec![text.to_owned()]));
    let number = |number: u64| {
        Ok::<_, OperatorError>(Int64Array::from(vec![i64::try_from(number).map_err(too_large)?]))
    };
    let metric = match state.metric {
        Metric::Cosine => "cosine",
    };
    Ok(RecordBatch::try_new(
        self::state(),
        vec![
            text(collection),
            text(&state.backend),
            text(source),
            Arc::new(number(version)?),
            Arc::new(number(state.count)?),
            Arc::new(Int32Array::from(vec![
                i32::try_from(state.dimension).map_err(too_large)?,
            ])),
            text(metric),
        ],
    )?)
}

fn vector_error(error: VectorError) -> OperatorError {
    match error {
        VectorError::Store(error) => error.into(),
        error if error.retryable() => OperatorError::retry(error.code(), &error, error.hint()),
        error => OperatorError::data(error.code(), &error, error.hint()),
    }
}
