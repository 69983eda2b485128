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
        let Some(root) = self.root() else { return Ok(()) };
        let files: Vec<PathBuf> = blobs.iter().filter_map(|blob| self.local_path(blob)).collect();
        if files.is_empty() {
            return Ok(());
        }
        let mut folders: BTreeSet<PathBuf> = files.iter().filter_map(|f| f.parent()).map(PathBuf::from).collect();
        folders.insert(root.join("blobs"));
        folders.insert(root.clone());
        sync_all(files).await?;
        sync_all(folders.into_iter().collect()).await
    }
}

async fn sync_all(paths: Vec<PathBuf>) -> Result<(), StoreError> {
    let sync = |path: PathBuf| async move {
        let blocking = tokio::task::spawn_blocking(move || {
            File::open(&path).and_then(|file| file.sync_all()).map_err(|error| StoreError::file("sync", &path, error))
        });
        blocking.await?
    };
    futures::stream::iter(paths).map(sync).buffer_unordered(AT_ONCE).try_collect().await
}
