//! The object store behind everything: opening it, and the bytes, paths and promises the rest relies on.

mod blobs;
mod layout;
mod manifests;
mod open;
mod probe;
mod sync;

use std::{path::PathBuf, sync::Arc};

use object_store::ObjectStore;

pub(crate) use blobs::{corrupt, hash_hex, missing, random_hex};
pub(crate) use layout::*;
pub(crate) use manifests::{Versioned, bad};

use crate::{BlobRef, DatasetManifest, ModelManifest, StoreError, StoreLocation};

/// An opened object store.
#[derive(Debug)]
pub(crate) struct Backend {
    location: StoreLocation,
    /// Every access goes through this one; local blobs are made durable by [`Backend::sync_blobs`] instead of one by one.
    objects: Arc<dyn ObjectStore>,
    /// The same store with fsync after each write where it is local: manifests and labels.
    durable: Arc<dyn ObjectStore>,
    /// The folder of a local store.
    root: Option<PathBuf>,
    /// Whether put-if-absent has to be probed (neither a local folder nor memory).
    remote: bool,
    datasets: manifests::Cache<DatasetManifest>,
    models: manifests::Cache<ModelManifest>,
}

impl Backend {
    /// Connects, makes a missing local folder, and sends nothing over the network.
    pub(crate) fn open(location: &StoreLocation) -> Result<Self, StoreError> {
        open::open(location)
    }

    /// Refuses a remote store that lets two writers win; asks once a process and location.
    pub(crate) async fn probe(&self) -> Result<(), StoreError> {
        if self.remote {
            probe::put_if_absent(&self.objects, &self.location).await
        } else {
            Ok(())
        }
    }

    pub(crate) fn location(&self) -> &StoreLocation {
        &self.location
    }

    pub(crate) fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    pub(crate) fn durable(&self) -> &Arc<dyn ObjectStore> {
        &self.durable
    }

    pub(crate) fn root(&self) -> Option<&PathBuf> {
        self.root.as_ref()
    }

    /// The file of a blob in a local store.
    pub(crate) fn local_path(&self, blob: &BlobRef) -> Option<PathBuf> {
        let path = blob_path(blob).ok()?;
        self.root.as_ref().map(|root| root.join(path.as_ref()))
    }

    /// Path or URL of a blob for other tools.
    pub(crate) fn public_path(&self, blob: &BlobRef) -> String {
        match self.local_path(blob) {
            Some(path) => path.display().to_string(),
            None => {
                let path = blob_path(blob).map(|path| path.to_string()).unwrap_or_default();
                format!("{}/{path}", self.location.public_url().trim_end_matches('/'))
            }
        }
    }
}
