//! A power cut must not leave a manifest without its blobs: local blobs reach the disk before the commit.

use std::{collections::BTreeSet, fs::File, path::PathBuf};

use futures::{StreamExt, TryStreamExt};

use super::Backend;
use crate::{BlobRef, StoreError};

/// Files synced at once; the disk merges them into fewer journal commits.
const AT_ONCE: usize = 8;

impl Backend {
    /// Makes blobs durable where the store is a local folder; elsewhere the store has promised it already.
    pub(crate) async fn sync_blobs(&self, blobs: Vec<BlobRef>) -> Result<(), StoreError> {
        self.sync_files(blobs.clone()).await?;
        self.sync_folders(&blobs).await
    }

    /// Their bytes alone.
    pub(crate) async fn sync_files(&self, blobs: Vec<BlobRef>) -> Result<(), StoreError> {
        sync_all(blobs.iter().filter_map(|blob| self.local_path(blob)).collect()).await
    }

    /// Their names alone.
    pub(crate) async fn sync_folders(&self, blobs: &[BlobRef]) -> Result<(), StoreError> {
        let (Some(root), false) = (self.root(), blobs.is_empty()) else {
            return Ok(());
        };
        let mut folders: BTreeSet<PathBuf> = [root.clone(), root.join("blobs")].into();
        let files = blobs.iter().filter_map(|blob| self.local_path(blob));
        folders.extend(files.filter_map(|file| file.parent().map(PathBuf::from)));
        sync_all(folders.into_iter().collect()).await
    }
}

async fn sync_all(paths: Vec<PathBuf>) -> Result<(), StoreError> {
    let sync = |path: PathBuf| async move {
        let blocking = tokio::task::spawn_blocking(move || {
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|error| StoreError::file("sync", &path, error))
        });
        blocking.await?
    };
    futures::stream::iter(paths)
        .map(sync)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}
