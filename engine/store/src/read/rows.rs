//! The rows of a version as a stream.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{Array, AsArray, BooleanArray, StringArray},
    datatypes::{DataType, SchemaRef},
    record_batch::RecordBatch,
};
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use tokio::sync::mpsc;

use super::part::{PartFile, filtered};
use crate::{
    DatasetManifest, Part, ReadOptions, StagedDataset, StoreError,
    backend::Backend,
    schema_from_json,
    write::{bucket_of, entity_hash},
};

/// Parts fetched ahead of the decoder.
const AHEAD: usize = 3;
/// Bytes that a batch should take when decoded, roughly.
const BATCH_BYTES: u64 = 8 << 20;
/// How much larger rows are decoded than in Parquet, roughly.
const EXPANSION: u64 = 3;

/// What a reader needs to know, resolved.
#[derive(Debug)]
struct Plan {
    schema: SchemaRef,
    owner: String,
    parts: Vec<Part>,
    /// Positions to decode, ascending; the entity key's among them where rows are filtered.
    decode: Option<Vec<usize>>,
    /// Positions among the decoded that are handed out.
    give: Option<Vec<usize>>,
    /// The key's position among the decoded.
    key: Option<usize>,
    entities: Option<Arc<HashSet<String>>>,
    batch_size: usize,
    limit: usize,
}

pub(crate) fn rows(
    backend: &Arc<Backend>,
    manifest: &DatasetManifest,
    options: ReadOptions,
) -> BoxStream<'static, Result<RecordBatch, StoreError>> {
    stream(
        backend,
        plan(format!("dataset {}", manifest.id()), &manifest.data, options),
    )
}

/// The rows of a dataset that is not committed yet.
pub(crate) fn staged_rows(
    backend: &Arc<Backend>,
    staged: &StagedDataset,
    options: ReadOptions,
) -> BoxStream<'static, Result<RecordBatch, StoreError>> {
    stream(backend, plan(format!("dataset {}", staged.name), staged, options))
}

fn stream(
    backend: &Arc<Backend>,
    plan: Result<Plan, StoreError>,
) -> BoxStream<'static, Result<RecordBatch, StoreError>> {
    let plan = match plan {
        Ok(plan) => plan,
        Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
    };
    let backend = Arc::clone(backend);
    // Started by the first poll, since only then there is surely a runtime.
    let start = async move {
        let (sender, receiver) = mpsc::channel(2);
        tokio::spawn(produce(backend, plan, sender));
        futures::stream::unfold(receiver, async |mut receiver| {
            receiver.recv().await.map(|item| (item, receiver))
        })
    };
    futures::stream::once(start).flatten().boxed()
}

async fn produce(backend: Arc<Backend>, plan: Plan, sender: mpsc::Sender<Result<RecordBatch, StoreError>>) {
    if let Err(error) = try_produce(&backend, Arc::new(plan), &sender).await {
        // A reader that went away wants no error either.
        let _ = sender.send(Err(error)).await;
    }
}

async fn try_produce(
    backend: &Arc<Backend>,
    plan: Arc<Plan>,
    sender: &mpsc::Sender<Result<RecordBatch, StoreError>>,
) -> Result<(), StoreError> {
    let mut left = plan.limit;
    let opening = (Arc::clone(backend), plan.owner.clone());
    let open = move |part: Part| {
        let (backend, owner) = opening.clone();
        async move { PartFile::open(&backend, &part, &owner).await }
    };
    let mut files = futures::stream::iter(plan.parts.clone())
        .map(open)
        .buffered(AHEAD);
    while let Some(file) = files.try_next().await? {
        if left == 0 || sender.is_closed() {
            break;
        }
        let (plan, sender) = (Arc::clone(&plan), sender.clone());
        left = tokio::task::spawn_blocking(move || decode(&file, &plan, left, &sender)).await??;
    }
    Ok(())
}

/// Decodes a part into the channel; says how many more rows are wanted.
fn decode(
    file: &PartFile,
    plan: &Plan,
    mut left: usize,
    sender: &mpsc::Sender<Result<RecordBatch, StoreError>>,
) -> Result<usize, StoreError> {
    for batch in file.decode(&plan.schema, plan.decode.as_deref(), plan.batch_size.min(left))? {
        let Some(batch) = keep_entities(batch?, plan)? else {
            continue;
        };
        let batch = batch.slice(0, batch.num_rows().min(left));
        let batch = match &plan.give {
            Some(columns) => batch.project(columns).map_err(StoreError::internal)?,
            None => batch,
        };
        left -= batch.num_rows();
        if sender.blocking_send(Ok(batch)).is_err() || left == 0 {
            return Ok(0);
        }
    }
    Ok(left)
}

fn keep_entities(batch: RecordBatch, plan: &Plan) -> Result<Option<RecordBatch>, StoreError> {
    let (Some(entities), Some(key)) = (&plan.entities, plan.key) else {
        return Ok(Some(batch));
    };
    let keep = |batch: &RecordBatch| {
        let keys: &StringArray = batch.column(key).as_string();
        (0..keys.len())
            .map(|row| Some(entities.contains(keys.value(row))))
            .collect::<BooleanArray>()
    };
    filtered(&batch, &keep)
}

fn plan(owner: String, data: &StagedDataset, options: ReadOptions) -> Result<Plan, StoreError> {
    let schema = schema_from_json(&data.schema)?;
    let key = data.keys.first().and_then(|key| schema.index_of(key).ok());
    if options.entities.is_some() && key.is_none_or(|key| schema.field(key).data_type() != &DataType::Utf8) {
        let reason = "rows can be chosen by entity in keyed datasets alone".to_owned();
        let column = data.keys.first().cloned().unwrap_or_default();
        return Err(StoreError::KeyColumn {
            dataset: data.name.to_string(),
            column,
            reason,
        });
    }
    let wanted = options
        .columns
        .as_ref()
        .map(|columns| positions(&owner, &schema, columns))
        .transpose()?;
    let needed_key = key.filter(|_| options.entities.is_some());
    let decode = wanted.clone().map(|mut columns| {
        columns.extend(needed_key.filter(|key| !columns.contains(key)));
        columns.sort_unstable();
        columns
    });
    let place = |column: &usize| {
        decode
            .as_ref()
            .map_or(Some(*column), |d| d.iter().position(|c| c == column))
    };
    let give = wanted.filter(|wanted| decode.as_ref() != Some(wanted));
    let give = give.map(|wanted| wanted.iter().filter_map(place).collect());
    let average = (data.bytes / data.rows.max(1)).max(1) * EXPANSION;
    let by_size = usize::try_from(BATCH_BYTES / average)
        .unwrap_or(usize::MAX)
        .clamp(1, 8192);
    Ok(Plan {
        owner,
        parts: chosen_parts(data, options.entities.as_deref()),
        key: needed_key.and_then(|key| place(&key)),
        decode,
        give,
        entities: options.entities,
        batch_size: options.batch_size.unwrap_or(by_size).max(1),
        limit: options.limit.unwrap_or(usize::MAX),
        schema,
    })
}

fn positions(owner: &str, schema: &SchemaRef, columns: &[String]) -> Result<Vec<usize>, StoreError> {
    let find = |column: &String| {
        schema.index_of(column).map_err(|_| {
            let known = schema.fields().iter().map(|field| field.name().clone()).collect();
            super::resolve::not_found(format!("column {column} of {owner}"), column, known)
        })
    };
    let mut positions = columns.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

fn chosen_parts(data: &StagedDataset, entities: Option<&HashSet<String>>) -> Vec<Part> {
    let Some(entities) = entities else {
        return data.parts.clone();
    };
    let buckets = data.buckets;
    let chosen: HashSet<u32> = entities
        .iter()
        .map(|key| bucket_of(entity_hash(key), buckets))
        .collect();
    let chosen = |part: &&Part| part.bucket.is_none_or(|bucket| chosen.contains(&bucket));
    data.parts.iter().filter(chosen).cloned().collect()
}
