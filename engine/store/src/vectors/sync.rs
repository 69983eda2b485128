//! Brings a collection to a version of a dataset: by difference where it can, from nothing where it must.

use std::{collections::HashSet, path::Path, sync::Arc};

use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::{EmbeddedIndex, IndexState, VectorError, VectorIndex, rows::RowReader};
use crate::{DatasetManifest, FeatureStore, ReadOptions};

/// Rows that are read and handed over at a time.
const BATCH_ROWS: usize = 1024;

/// How a collection was brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// It reflected the version already.
    Unchanged,
    /// Only entities that differ were written.
    Incremental,
    /// All of it was written.
    Rebuilt,
}

/// What a [`sync()`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// How.
    pub mode: SyncMode,
    /// Why it was not done in a cheaper way: new, corrupt, another dataset.
    pub reason: Option<String>,
    /// Records written.
    pub upserted: u64,
    /// Entities whose records were removed or replaced.
    pub removed: u64,
    /// What the collection holds now.
    pub state: IndexState,
}

/// Brings the embedded collection in `dir` to `manifest`. A collection that is missing, corrupt or of another dataset
/// is built anew, so that it heals by itself.
///
/// # Errors
/// `vectors.bad_rows`, `vectors.busy`, `vectors.not_finite`; those of reading the dataset and writing the folder.
pub async fn sync(
    store: &FeatureStore,
    dir: &Path,
    manifest: &DatasetManifest,
) -> Result<SyncReport, VectorError> {
    let rows = RowReader::new(manifest)?;
    let index = EmbeddedIndex::unchecked(dir)?;
    let job = Job {
        store,
        index: &index,
        manifest,
        rows,
    };
    // The index is ours alone: what an error leaves uncommitted goes with it.
    match index.verify().await {
        Ok(()) => job.bring().await,
        Err(error @ VectorError::Corrupt { .. }) => job.rebuild(error.to_string()).await,
        Err(error) => Err(error),
    }
}

/// Brings a collection behind any backend to `manifest`.
///
/// # Errors
/// As [`sync()`], and those of the backend.
pub async fn sync_index(
    store: &FeatureStore,
    index: &dyn VectorIndex,
    manifest: &DatasetManifest,
) -> Result<SyncReport, VectorError> {
    let rows = RowReader::new(manifest)?;
    index.discard().await?;
    let report = Job {
        store,
        index,
        manifest,
        rows,
    }
    .bring()
    .await;
    if report.is_err() {
        // Half a difference must not become part of the next one.
        index.discard().await?;
    }
    report
}

struct Job<'a> {
    store: &'a FeatureStore,
    index: &'a dyn VectorIndex,
    manifest: &'a DatasetManifest,
    rows: RowReader,
}

impl Job<'_> {
    async fn bring(&self) -> Result<SyncReport, VectorError> {
        let state = self.index.state().await?;
        let Some(source) = &state.source else {
            return self.rebuild("the collection is new".to_owned()).await;
        };
        if *source == self.manifest.id() {
            if state.count == self.manifest.data.rows {
                return Ok(SyncReport {
                    mode: SyncMode::Unchanged,
                    reason: None,
                    upserted: 0,
                    removed: 0,
                    state,
                });
            }
            let reason = format!("it held {} records of {}", state.count, self.manifest.data.rows);
            return self.rebuild(reason).await;
        }
        if source.name != self.manifest.data.name {
            return self
                .rebuild(format!("it was made from another dataset, {source}"))
                .await;
        }
        let Ok(earlier) = self.store.dataset_exact(source).await else {
            return self
                .rebuild(format!("{source}, which it was made from, is no longer there"))
                .await;
        };
        if earlier.data.keys != self.manifest.data.keys || earlier.data.schema != self.manifest.data.schema {
            return self.rebuild(format!("{source} had other columns")).await;
        }
        self.apply(&earlier).await
    }

    async fn apply(&self, earlier: &DatasetManifest) -> Result<SyncReport, VectorError> {
        let diff = self.store.diff(earlier, self.manifest).await?;
        let mut gone = diff.removed;
        gone.extend(diff.changed.iter().cloned());
        if !gone.is_empty() {
            self.index.delete_entities(&gone).await?;
        }
        let new: HashSet<String> = diff.added.into_iter().chain(diff.changed).collect();
        let upserted = if new.is_empty() {
            0
        } else {
            self.write(Some(Arc::new(new))).await?
        };
        self.index.commit(self.manifest.id()).await?;
        let state = self.index.state().await?;
        if state.count != self.manifest.data.rows {
            // The collection was not what it said; a rebuild does not depend on that.
            let reason = format!("it held {} records of {}", state.count, self.manifest.data.rows);
            return self.rebuild(reason).await;
        }
        let removed = gone.len() as u64;
        Ok(SyncReport {
            mode: SyncMode::Incremental,
            reason: None,
            upserted,
            removed,
            state,
        })
    }

    async fn rebuild(&self, reason: String) -> Result<SyncReport, VectorError> {
        self.index.clear().await?;
        let upserted = self.write(None).await?;
        self.index.commit(self.manifest.id()).await?;
        let state = self.index.state().await?;
        Ok(SyncReport {
            mode: SyncMode::Rebuilt,
            reason: Some(reason),
            upserted,
            removed: 0,
            state,
        })
    }

    async fn write(&self, entities: Option<Arc<HashSet<String>>>) -> Result<u64, VectorError> {
        let columns = Some(self.rows.columns());
        let options = ReadOptions {
            columns,
            entities,
            batch_size: Some(BATCH_ROWS),
            ..ReadOptions::default()
        };
        let mut batches = self.store.read(self.manifest, options);
        let mut written = 0;
        while let Some(batch) = batches.try_next().await? {
            written += batch.num_rows() as u64;
            self.index.upsert(self.rows.records(&batch)?).await?;
        }
        Ok(written)
    }
}
