//! The pages that evaluations leave: which one is about a model version, and what it says.

use arrow::array::{Array, StringArray};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use twinloom_store::{
    DatasetManifest, FeatureStore, ModelManifest, ReadOptions, Reference, Selector, StoreError, VersionId,
};

/// The input port of an evaluation that holds the model that it judges.
const CANDIDATE: &str = "candidate";

/// Versions of a dataset of pages that are looked at, newest first.
const VERSIONS: usize = 200;

/// A report as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFile {
    /// `report.html`, `report.json`.
    pub name: String,
    /// `text/html`, `application/json`.
    pub media_type: String,
    /// Its text.
    pub content: String,
}

/// The dataset version with the last report on a model version; none where it was never evaluated.
///
/// # Errors
/// What the store says.
pub async fn find(store: &FeatureStore, model: &ModelManifest) -> Result<Option<VersionId>, StoreError> {
    let wanted = model.id();
    let mut found: Option<std::sync::Arc<DatasetManifest>> = None;
    for name in store.datasets().await? {
        let latest = store
            .dataset(&Reference {
                name: name.clone(),
                selector: Selector::Latest,
            })
            .await?;
        if !is_page(&latest) {
            continue;
        }
        for version in store
            .dataset_versions(&name)
            .await?
            .into_iter()
            .rev()
            .take(VERSIONS)
        {
            let selector = Selector::Number(version);
            let manifest = store
                .dataset(&Reference {
                    name: name.clone(),
                    selector,
                })
                .await?;
            let about = |input: &twinloom_store::InputVersion| input.port == CANDIDATE && input.id == wanted;
            if is_page(&manifest) && manifest.data.inputs.iter().any(about) {
                if found
                    .as_ref()
                    .is_none_or(|found| found.created_at < manifest.created_at)
                {
                    found = Some(manifest);
                }
                break;
            }
        }
    }
    Ok(found.map(|manifest| manifest.id()))
}

/// The files of a report.
///
/// # Errors
/// What the store says.
pub async fn read(store: &FeatureStore, id: &VersionId) -> Result<Vec<ReportFile>, StoreError> {
    let manifest = store.dataset_exact(id).await?;
    let mut files = Vec::new();
    let mut batches = store.read(&manifest, ReadOptions::default());
    while let Some(rows) = batches.try_next().await? {
        let column = |name: &str| {
            let column = rows.column_by_name(name)?.as_any().downcast_ref::<StringArray>();
            column.cloned()
        };
        let (Some(names), Some(types), Some(contents)) =
            (column("name"), column("media_type"), column("content"))
        else {
            continue;
        };
        for row in 0..names.len() {
            files.push(ReportFile {
                name: names.value(row).to_owned(),
                media_type: types.value(row).to_owned(),
                content: contents.value(row).to_owned(),
            });
        }
    }
    Ok(files)
}

/// Whether a dataset is one of report files: told by its columns, whoever made it.
fn is_page(manifest: &DatasetManifest) -> bool {
    FeatureStore::schema_of(manifest).is_ok_and(|schema| {
        ["name", "media_type", "content"]
            .iter()
            .all(|name| schema.column_with_name(name).is_some())
    })
}
