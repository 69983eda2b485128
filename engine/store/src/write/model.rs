//! The writer of a model's files.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use serde_json::json;

use crate::{
    BlobRef, FeatureStore, StageModel, StagedModel, StoreError,
    backend::{check_relative, hash_hex},
};

/// Writes a model: named files, each a blob.
#[derive(Debug)]
pub struct ModelWriter {
    store: FeatureStore,
    spec: StageModel,
    files: BTreeMap<String, BlobRef>,
}

impl ModelWriter {
    pub(crate) fn new(store: FeatureStore, spec: StageModel) -> Self {
        Self {
            store,
            spec,
            files: BTreeMap::new(),
        }
    }

    /// Adds a file under a relative path, replacing one added before.
    ///
    /// # Errors
    /// `store.invalid_path`; `store.file` where it cannot be read; those of the backend.
    pub async fn add_file(&mut self, relative: &str, path: &Path) -> Result<BlobRef, StoreError> {
        check_relative(relative)?;
        let blob = self.store.put_blob_file(path, &ext_of(relative)).await?;
        self.files.insert(relative.to_owned(), blob.clone());
        Ok(blob)
    }

    /// Adds bytes under a relative path, replacing what was added before.
    ///
    /// # Errors
    /// `store.invalid_path`; those of the backend.
    pub async fn add_bytes(&mut self, relative: &str, bytes: Bytes) -> Result<BlobRef, StoreError> {
        check_relative(relative)?;
        let blob = self.store.put_blob(bytes, &ext_of(relative)).await?;
        self.files.insert(relative.to_owned(), blob.clone());
        Ok(blob)
    }

    /// Adds a figure.
    pub fn set_metric(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.spec.metrics.insert(name.to_owned(), value.into());
    }

    /// Describes the whole.
    ///
    /// # Errors
    /// None at present; a signature that may check more later.
    pub async fn finish(self) -> Result<StagedModel, StoreError> {
        let StageModel {
            name,
            base,
            config,
            card,
            metrics,
            producer,
            inputs,
        } = self.spec;
        let files: Vec<_> = self.files.iter().map(|(path, blob)| (path, &blob.hash)).collect();
        let content = json!({"files": files, "base": base, "config": config});
        let content_hash = hash_hex(&serde_json::to_vec(&content).map_err(StoreError::internal)?);
        Ok(StagedModel {
            name,
            files: self.files,
            base,
            config,
            content_hash,
            metrics,
            card,
            producer,
            inputs,
        })
    }
}

/// The blob's extension: the file's, where it is a plain one.
fn ext_of(relative: &str) -> String {
    let ext = Path::new(relative)
        .extension()
        .and_then(|ext| ext.to_str())
        .unwrap_or_default();
    let plain = (1..=16).contains(&ext.len()) && ext.bytes().all(|b| b.is_ascii_alphanumeric());
    if plain {
        ext.to_ascii_lowercase()
    } else {
        "bin".to_owned()
    }
}
