//! Data in and out, in the formats of other tools.
use crate::*;
use std::path::{Path, PathBuf};

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// A folder with `data/*.parquet` and a Hugging Face dataset card.
    Parquet,
    /// One JSON object a line.
    Jsonl,
    /// Arrow IPC files.
    ArrowIpc,
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ExportReport {
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// Rows in them.
    pub rows: u64,
}

pub(crate) async fn export(_: &FeatureStore, _: &DatasetManifest, _: ExportFormat, _: &Path) -> Result<ExportReport, StoreError> {
    Err(StoreError::internal("not built"))
}
pub(crate) async fn import(_: &FeatureStore, _: StageDataset, _: &Path) -> Result<StagedDataset, StoreError> {
    Err(StoreError::internal("not built"))
}
