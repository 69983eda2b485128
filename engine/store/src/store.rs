//! The handle on a store, and what can be asked of it. The work itself is in the modules beside.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::{
    BlobRef, Commit, Committed, DatasetManifest, DatasetWriter, DeltaWriter, Diff, ExportFormat,
    ExportReport, GcOptions, GcReport, Label, Lineage, ModelManifest, ModelWriter, Name, ReadOptions,
    Reference, StageDataset, StageModel, StagedDataset, StagedModel, StoreError, StoreLocation,
    VerifyProgress, VerifyReport, VersionId, backend::Backend, care, commit, exchange, labels, read,
    schema_from_json,
};

/// A feature store. Cheap to clone; all clones share one connection and cache.
#[derive(Debug, Clone)]
pub struct FeatureStore {
    pub(crate) backend: Arc<Backend>,
}

/// Opening, staging, committing.
impl FeatureStore {
    /// Opens a store for everything. A local folder is made where it is missing; a remote store is probed once a
    /// process for put-if-absent, because without it two publishers could overwrite each other.
    ///
    /// # Errors
    /// `store.invalid_location`, `store.denied`, `store.unavailable`, `store.no_conditional_put`.
    pub async fn open(location: &StoreLocation) -> Result<Self, StoreError> {
        let backend = Backend::open(location)?;
        backend.probe().await?;
        Ok(Self {
            backend: Arc::new(backend),
        })
    }

    /// Opens a store for reading and staging only, without the probe: what a worker needs, as workers never commit.
    ///
    /// # Errors
    /// `store.invalid_location`, `store.denied`.
    pub fn open_for_staging(location: &StoreLocation) -> Result<Self, StoreError> {
        Ok(Self {
            backend: Arc::new(Backend::open(location)?),
        })
    }

    /// Where it is, as it was opened.
    #[must_use]
    pub fn location(&self) -> &StoreLocation {
        self.backend.location()
    }

    /// A writer of a whole dataset.
    #[must_use]
    pub fn dataset_writer(&self, spec: StageDataset) -> DatasetWriter {
        DatasetWriter::new(self.clone(), spec)
    }

    /// A writer of changes to a version, which rewrites only the buckets that the changes fall in.
    #[must_use]
    pub fn delta_writer(&self, spec: StageDataset, base: Arc<DatasetManifest>) -> DeltaWriter {
        DeltaWriter::new(self.clone(), spec, base)
    }

    /// A writer of a model's files.
    #[must_use]
    pub fn model_writer(&self, spec: StageModel) -> ModelWriter {
        ModelWriter::new(self.clone(), spec)
    }

    /// Makes a staged dataset a version, unless the latest holds the same content or the same task already did.
    ///
    /// # Errors
    /// `store.contended` after very many lost races; those of the backend; those of reading the parent.
    pub async fn commit_dataset(
        &self,
        staged: StagedDataset,
        commit: Commit,
    ) -> Result<Committed<DatasetManifest>, StoreError> {
        commit::dataset(self, staged, commit).await
    }

    /// Makes a staged model a version, likewise.
    ///
    /// # Errors
    /// As [`Self::commit_dataset`].
    pub async fn commit_model(
        &self,
        staged: StagedModel,
        commit: Commit,
    ) -> Result<Committed<ModelManifest>, StoreError> {
        commit::model(self, staged, commit).await
    }
}

/// Datasets.
impl FeatureStore {
    /// Names of all datasets that have a version, sorted.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn datasets(&self) -> Result<Vec<Name>, StoreError> {
        self.backend.names::<DatasetManifest>().await
    }

    /// Version numbers of a dataset, ascending; empty where there is none.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn dataset_versions(&self, name: &Name) -> Result<Vec<u64>, StoreError> {
        self.backend.versions::<DatasetManifest>(name).await
    }

    /// The version that is meant.
    ///
    /// # Errors
    /// `store.not_found` with what there is; `store.bad_manifest`, `store.newer_format`; those of the backend.
    pub async fn dataset(&self, reference: &Reference) -> Result<Arc<DatasetManifest>, StoreError> {
        read::resolve(&self.backend, reference).await
    }

    /// The exact version, whose content hash must be the one given.
    ///
    /// # Errors
    /// As [`Self::dataset`]; `store.bad_manifest` where the hash is another.
    pub async fn dataset_exact(&self, id: &VersionId) -> Result<Arc<DatasetManifest>, StoreError> {
        read::exact(&self.backend, id).await
    }

    /// The rows, bucket by bucket and by key inside a bucket, or in the order of writing where there are no keys.
    /// Memory is bounded by a few batches.
    pub fn read(
        &self,
        manifest: &DatasetManifest,
        options: ReadOptions,
    ) -> BoxStream<'static, Result<RecordBatch, StoreError>> {
        read::rows(&self.backend, manifest, options)
    }

    /// The columns of a version.
    ///
    /// # Errors
    /// `store.bad_manifest`.
    pub fn schema_of(manifest: &DatasetManifest) -> Result<SchemaRef, StoreError> {
        schema_from_json(&manifest.data.schema)
    }

    /// Entities that differ between two versions of keyed data. Only buckets whose parts differ are read.
    ///
    /// # Errors
    /// `store.key_column` where a version has no keys or the two have other ones; those of reading.
    pub async fn diff(&self, from: &DatasetManifest, to: &DatasetManifest) -> Result<Diff, StoreError> {
        read::diff(&self.backend, &from.data, &to.data).await
    }

    /// Paths (local stores) or URLs of a version's Parquet files.
    #[must_use]
    pub fn paths(&self, manifest: &DatasetManifest) -> Vec<String> {
        manifest
            .data
            .parts
            .iter()
            .map(|part| self.backend.public_path(&part.blob))
            .collect()
    }

    /// Points a tag at a version; `previous` is filled in.
    ///
    /// # Errors
    /// `store.invalid_name`, `store.not_found`; those of the backend.
    pub async fn tag(&self, name: &Name, tag: &str, label: Label) -> Result<(), StoreError> {
        labels::set::<DatasetManifest>(&self.backend, name, tag, label).await
    }

    /// Tags of a dataset.
    ///
    /// # Errors
    /// `store.bad_manifest`; those of the backend.
    pub async fn tags(&self, name: &Name) -> Result<BTreeMap<String, Label>, StoreError> {
        labels::all::<DatasetManifest>(&self.backend, name).await
    }

    /// Removes a tag.
    ///
    /// # Errors
    /// `store.not_found`; those of the backend.
    pub async fn untag(&self, name: &Name, tag: &str) -> Result<(), StoreError> {
        labels::remove::<DatasetManifest>(&self.backend, name, tag).await
    }

    /// Every version of every dataset, for reindexing. A manifest that cannot be read is an error item; the rest follow.
    pub fn all_datasets(&self) -> BoxStream<'static, Result<Arc<DatasetManifest>, StoreError>> {
        read::all(&self.backend)
    }

    /// Writes a version's rows to a folder for other tools.
    ///
    /// # Errors
    /// `store.file`, `store.disk_full`, `store.denied`; those of reading.
    pub async fn export_dataset(
        &self,
        manifest: &DatasetManifest,
        format: ExportFormat,
        dir: &Path,
    ) -> Result<ExportReport, StoreError> {
        exchange::export(self, manifest, format, dir).await
    }

    /// Stages the rows of a file, or of all files of one kind in a folder: Parquet, Arrow IPC, JSONL, JSON, CSV, by
    /// extension. An empty schema is taken from the files.
    ///
    /// # Errors
    /// `store.import` naming file and place; those of writing.
    pub async fn import_dataset(&self, spec: StageDataset, path: &Path) -> Result<StagedDataset, StoreError> {
        exchange::import(self, spec, path).await
    }
}

/// Models.
impl FeatureStore {
    /// Names of all models that have a version, sorted.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn models(&self) -> Result<Vec<Name>, StoreError> {
        self.backend.names::<ModelManifest>().await
    }

    /// Version numbers of a model, ascending; empty where there is none.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn model_versions(&self, name: &Name) -> Result<Vec<u64>, StoreError> {
        self.backend.versions::<ModelManifest>(name).await
    }

    /// The version that is meant.
    ///
    /// # Errors
    /// `store.not_found` with what there is; `store.bad_manifest`, `store.newer_format`; those of the backend.
    pub async fn model(&self, reference: &Reference) -> Result<Arc<ModelManifest>, StoreError> {
        read::resolve(&self.backend, reference).await
    }

    /// The exact version, whose content hash must be the one given.
    ///
    /// # Errors
    /// As [`Self::model`]; `store.bad_manifest` where the hash is another.
    pub async fn model_exact(&self, id: &VersionId) -> Result<Arc<ModelManifest>, StoreError> {
        read::exact(&self.backend, id).await
    }

    /// Points an alias at a version; `previous` is filled in.
    ///
    /// # Errors
    /// `store.invalid_name`, `store.not_found`; those of the backend.
    pub async fn set_alias(&self, name: &Name, alias: &str, label: Label) -> Result<(), StoreError> {
        labels::set::<ModelManifest>(&self.backend, name, alias, label).await
    }

    /// Aliases of a model.
    ///
    /// # Errors
    /// `store.bad_manifest`; those of the backend.
    pub async fn aliases(&self, name: &Name) -> Result<BTreeMap<String, Label>, StoreError> {
        labels::all::<ModelManifest>(&self.backend, name).await
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// `store.not_found`; those of the backend.
    pub async fn remove_alias(&self, name: &Name, alias: &str) -> Result<(), StoreError> {
        labels::remove::<ModelManifest>(&self.backend, name, alias).await
    }

    /// Puts a model's files into a folder by their relative paths; files of the right size that are there stay.
    ///
    /// # Errors
    /// `store.missing_blob`, `store.corrupt_blob`, `store.file`, `store.disk_full`; those of the backend.
    pub async fn checkout_model(&self, manifest: &ModelManifest, dir: &Path) -> Result<(), StoreError> {
        read::checkout(&self.backend, manifest, dir).await
    }

    /// Every version of every model, for reindexing.
    pub fn all_models(&self) -> BoxStream<'static, Result<Arc<ModelManifest>, StoreError>> {
        read::all(&self.backend)
    }
}

/// Blobs.
impl FeatureStore {
    /// Stores bytes under their hash; `ext` is 1 to 16 of a-z and 0-9.
    ///
    /// # Errors
    /// `store.invalid_name` for the extension; those of the backend.
    pub async fn put_blob(&self, bytes: Bytes, ext: &str) -> Result<BlobRef, StoreError> {
        self.backend.put_blob_durably(bytes, ext).await
    }

    /// Stores a file under its hash, in bounded memory.
    ///
    /// # Errors
    /// `store.file` where it cannot be read; as [`Self::put_blob`].
    pub async fn put_blob_file(&self, path: &Path, ext: &str) -> Result<BlobRef, StoreError> {
        self.backend.put_blob_file(path, ext).await
    }

    /// The bytes of a blob, checked against its hash.
    ///
    /// # Errors
    /// `store.missing_blob`, `store.corrupt_blob`; those of the backend.
    pub async fn get_blob(&self, blob: &BlobRef) -> Result<Bytes, StoreError> {
        self.backend.get_blob(blob).await
    }

    /// The file of a blob where the store is a local folder and the file is there.
    #[must_use]
    pub fn local_blob(&self, blob: &BlobRef) -> Option<PathBuf> {
        self.backend.local_path(blob).filter(|path| path.is_file())
    }
}

/// Care.
impl FeatureStore {
    /// Reads every manifest and hashes every blob; `progress` is called as it goes.
    ///
    /// # Errors
    /// Those of the backend; damage is not an error but a problem in the report.
    pub async fn verify(
        &self,
        progress: impl Fn(VerifyProgress) + Send + Sync,
    ) -> Result<VerifyReport, StoreError> {
        care::verify(&self.backend, &progress).await
    }

    /// Removes what no version, tag, alias or retention rule keeps, and remains of crashed writes.
    ///
    /// # Errors
    /// Those of the backend; an unreadable manifest stops it before anything is removed.
    pub async fn gc(&self, options: GcOptions) -> Result<GcReport, StoreError> {
        care::gc(&self.backend, &options).await
    }

    /// What a version was made from and what was made from it, all the way.
    ///
    /// # Errors
    /// `store.not_found`; those of the backend and of reading manifests.
    pub async fn lineage(&self, kind: crate::ArtifactKind, id: &VersionId) -> Result<Lineage, StoreError> {
        care::lineage(self, kind, id).await
    }
}
