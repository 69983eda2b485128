//! The operator `embed`: chunks in, chunks with vectors out, row by row.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use arrow::{
    array::{Array, ArrayRef, FixedSizeListArray, Float32Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use serde_json::{Value, json};
use twinloom_operators::embed::{Config, EMBEDDER_FIGURE, MadeBy, identity, info};
use twinloom_sdk::{Context, OperatorError, OperatorInfo, RowOperator, records};

use super::{Embedder, EmbedderOptions, Role, embedder_dir};
use crate::{ModelError, device};

/// The operator.
pub struct Embed;

/// The loaded embedder, and what is counted on the way.
pub struct State {
    embedder: Mutex<Embedder>,
    dimension: i32,
    truncated: AtomicUsize,
    identity: Option<String>,
    made_by: MadeBy,
}

#[async_trait]
impl RowOperator for Embed {
    type Config = Config;
    type State = State;

    fn info(&self) -> OperatorInfo {
        info()
    }

    fn keys(&self) -> &'static [&'static str] {
        &["document_id", "chunk"]
    }

    fn batch_rows(&self) -> usize {
        // Enough rows for runs of similar length after sorting; progress and cancelling stay quick.
        512
    }

    fn output_schema(&self, state: &State, input: &Schema) -> Result<SchemaRef, OperatorError> {
        let mut fields: Vec<Arc<Field>> = input
            .fields()
            .iter()
            .filter(|field| field.name() != "vector")
            .cloned()
            .collect();
        fields.push(Arc::new(records::vector_field(state.dimension)));
        Ok(Arc::new(Schema::new(fields)))
    }

    async fn open(&self, context: &Context, config: Config) -> Result<State, OperatorError> {
        config.check()?;
        let options = EmbedderOptions {
            device: device::parse(&config.device)?,
            batch_tokens: config.batch_tokens,
            max_length: config.max_length,
            normalise: config.normalise,
            role: Role::Document,
            ..EmbedderOptions::default()
        };
        let model = config.model.clone();
        let open = move || {
            let dir = embedder_dir(model.as_deref())?;
            let identity = identity(&dir);
            Ok::<_, ModelError>((Embedder::open(&dir, options)?, identity))
        };
        let (embedder, identity) = tokio::task::spawn_blocking(open).await??;
        context.info(format!(
            "embedder: {} values, {} tokens a chunk, on {:?}",
            embedder.dimension(),
            embedder.max_length(),
            device::parse(&config.device)?,
        ));
        let dimension = i32::try_from(embedder.dimension()).unwrap_or_default();
        Ok(State {
            made_by: MadeBy::new(config.model.as_deref(), embedder.max_length()),
            embedder: Mutex::new(embedder),
            dimension,
            truncated: AtomicUsize::new(0),
            identity,
        })
    }

    fn identity(&self, state: &State) -> Option<String> {
        state.identity.clone()
    }

    fn figures(&self, state: &State) -> Vec<(&'static str, Value)> {
        vec![(EMBEDDER_FIGURE, json!(state.made_by))]
    }

    fn map(&self, context: &Context, state: &State, rows: RecordBatch) -> Result<RecordBatch, OperatorError> {
        let texts = texts(&rows)?;
        let embedded = state
            .embedder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .embed(&texts)?;
        if embedded.truncated > 0 {
            let before = state.truncated.fetch_add(embedded.truncated, Ordering::Relaxed);
            if before == 0 {
                context.warn(
                    "some chunks are longer than the embedder reads: their ends are not in their vectors",
                );
            }
            context.metric("truncated", (before + embedded.truncated) as f64, None);
        }
        let item = Arc::new(Field::new("item", DataType::Float32, false));
        let values: ArrayRef = Arc::new(Float32Array::from(embedded.vectors));
        let vectors = FixedSizeListArray::try_new(item, state.dimension, values, None)?;
        let schema = self.output_schema(state, &rows.schema())?;
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        let kept = rows
            .schema_ref()
            .fields()
            .iter()
            .zip(rows.columns())
            .filter(|(field, _)| field.name() != "vector");
        columns.extend(kept.map(|(_, column)| Arc::clone(column)));
        columns.push(Arc::new(vectors));
        Ok(RecordBatch::try_new(schema, columns)?)
    }
}

fn texts(rows: &RecordBatch) -> Result<Vec<&str>, OperatorError> {
    let column = rows
        .column_by_name("text")
        .and_then(|column| column.as_any().downcast_ref::<StringArray>());
    let column = column.ok_or_else(|| {
        OperatorError::data(
            "embed.text",
            "the input has no text column `text`",
            "Connect a dataset of chunks.",
        )
    })?;
    Ok((0..column.len())
        .map(|row| {
            if column.is_valid(row) {
                column.value(row)
            } else {
                ""
            }
        })
        .collect())
}
