//! From encoded parts to a staged dataset: storing, counting, hashing.

use std::{collections::BTreeMap, sync::Arc};

use arrow::datatypes::SchemaRef;
use futures::{Stream, TryStreamExt};
use serde_json::{Value, json};

use super::{encode::EncodedPart, stats};
use crate::{
    BlobRef, ChangeSummary, Part, StageDataset, StagedDataset, StoreError,
    backend::{Backend, hash_hex},
    schema_to_json,
};

/// Parts stored at once: waiting for the disk or the network must not keep the encoders waiting.
const PUTS: usize = 8;

/// Figures and checks that go with a version.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) metrics: BTreeMap<String, Value>,
    pub(crate) checks: BTreeMap<String, bool>,
}

/// A stored part, and how many bytes of it were not there before.
#[derive(Debug)]
pub(crate) struct StoredPart {
    pub(crate) part: Part,
    pub(crate) written: u64,
    /// Whether its name may not have reached the disk yet.
    pub(crate) fresh: bool,
}

/// Stores parts as they come, and makes them durable.
pub(crate) async fn store_all(
    backend: &Arc<Backend>,
    parts: impl Stream<Item = Result<Vec<EncodedPart>, StoreError>>,
) -> Result<Vec<StoredPart>, StoreError> {
    let single = parts
        .map_ok(|parts| futures::stream::iter(parts.into_iter().map(Ok)))
        .try_flatten();
    let backend = Arc::clone(backend);
    single
        .map_ok(move |part| store(Arc::clone(&backend), part))
        .try_buffered(PUTS)
        .try_collect()
        .await
}

async fn store(backend: Arc<Backend>, part: EncodedPart) -> Result<StoredPart, StoreError> {
    let EncodedPart {
        bytes,
        hash,
        rows,
        bucket,
        key_range,
        entities,
        columns,
    } = part;
    let put = backend.put_blob(bytes, hash, "parquet").await?;
    if put.fresh {
        // While other parts are still being encoded, so that the disk works beside the processor.
        backend.sync_files(vec![put.blob.clone()]).await?;
    }
    let written = if put.new { put.blob.bytes } else { 0 };
    let part = Part {
        blob: put.blob,
        rows,
        bucket,
        key_range,
        entities,
        columns,
    };
    Ok(StoredPart {
        part,
        written,
        fresh: put.fresh,
    })
}

/// Everything but the comparison with a base.
pub(crate) fn describe(
    spec: StageDataset,
    schema: &SchemaRef,
    buckets: u32,
    stored: Vec<StoredPart>,
    notes: Notes,
) -> Result<StagedDataset, StoreError> {
    let bytes_written = stored.iter().map(|part| part.written).sum();
    let mut parts: Vec<Part> = stored.into_iter().map(|stored| stored.part).collect();
    // Stable: parts without a bucket keep the order of writing.
    parts.sort_by_key(|part| part.bucket);
    let schema_json = schema_to_json(schema)?;
    let blobs: Vec<(&str, u64)> = parts
        .iter()
        .map(|part| (part.blob.hash.as_str(), part.rows))
        .collect();
    let content = json!({"schema": schema_json, "keys": spec.keys, "buckets": buckets, "parts": blobs});
    let content_hash = hash_hex(&serde_json::to_vec(&content).map_err(StoreError::internal)?);
    Ok(StagedDataset {
        name: spec.name,
        schema: schema_json,
        keys: spec.keys,
        buckets,
        rows: parts.iter().map(|part| part.rows).sum(),
        bytes: parts.iter().map(|part| part.blob.bytes).sum(),
        bytes_written,
        content_hash,
        columns: stats::of_version(schema, &parts),
        parts,
        base: None,
        changes: None,
        producer: spec.producer,
        inputs: spec.inputs,
        metrics: notes.metrics,
        checks: notes.checks,
    })
}

/// The changes of a first version: everything is new.
pub(crate) fn all_added(staged: &StagedDataset) -> ChangeSummary {
    ChangeSummary {
        added: entities(&staged.parts),
        ..ChangeSummary::default()
    }
}

/// Entities in parts, or rows where there are no keys.
pub(crate) fn entities(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.entities.unwrap_or(part.rows)).sum()
}

/// The folders of blobs, once all files are in them.
pub(crate) async fn sync_folders(backend: &Backend, stored: &[StoredPart]) -> Result<(), StoreError> {
    let fresh: Vec<BlobRef> = stored
        .iter()
        .filter(|part| part.fresh)
        .map(|part| part.part.blob.clone())
        .collect();
    backend.sync_folders(&fresh).await
}
