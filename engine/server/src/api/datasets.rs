//! Datasets and their versions.

use std::{collections::BTreeMap, sync::Arc};

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinloom_meta::{ArtifactRow, DatasetIndexRow};
use twinloom_store::{DatasetManifest, FeatureStore, Name, Reference, Selector};
use utoipa::{IntoParams, ToSchema};

use super::words::{Changes, Input, LabelItem, Producer};
use crate::{
    http::{
        extract::{Json, Path, Query},
        page::{self, Page, Paging},
        problem::{Answer, Problem},
    },
    state::Shared,
};

/// A dataset in a list: its newest version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DatasetItem {
    /// Its name.
    pub name: String,
    /// How many versions there are.
    pub versions: u64,
    /// The newest.
    pub latest: DatasetVersionItem,
    /// DAGs that its new versions may start.
    pub starts: Vec<String>,
}

/// A version in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DatasetVersionItem {
    /// From 1.
    pub version: u64,
    /// Hash of its content.
    pub hash: String,
    /// The version before it.
    pub parent: Option<u64>,
    /// Rows.
    pub rows: u64,
    /// Bytes of Parquet.
    pub bytes: u64,
    /// Against the parent.
    pub changes: Option<Changes>,
    /// The run that made it.
    pub run: Option<String>,
    /// The task that made it.
    pub task: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// Tags that point at it.
    pub tags: Vec<String>,
}

impl DatasetVersionItem {
    fn of(row: &DatasetIndexRow, tags: &[LabelItem]) -> Self {
        let changes = row
            .changes
            .clone()
            .and_then(|value| serde_json::from_value(value).ok());
        Self {
            version: row.version,
            hash: row.hash.clone(),
            parent: row.parent,
            rows: row.rows,
            bytes: row.bytes,
            changes,
            run: row.run.clone(),
            task: row.task.clone(),
            created_at: row.created_at,
            tags: tags
                .iter()
                .filter(|tag| tag.version == row.version)
                .map(|tag| tag.label.clone())
                .collect(),
        }
    }
}

/// Which datasets.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DatasetsQuery {
    /// Only those whose name holds this text.
    pub q: Option<String>,
    /// Items on the page; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Datasets by name.
#[utoipa::path(get, path = "/datasets", tag = "datasets", operation_id = "list_datasets",
    params(DatasetsQuery), responses((status = 200, body = Page<DatasetItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(
    State(app): State<Shared>,
    Query(query): Query<DatasetsQuery>,
) -> Answer<Json<Page<DatasetItem>>> {
    let limit = page::usual(query.limit)?;
    let rows = app
        .meta
        .latest_datasets(query.q.as_deref(), query.cursor.as_deref(), limit + 1)
        .await?;
    let names: Vec<&str> = rows.iter().map(|(row, _)| row.name.as_str()).collect();
    let tags = labels_of(&app, twinloom_meta::ArtifactKind::Dataset, &names).await?;
    let mut starts = app.started_by_datasets();
    let item = |(row, versions): &(DatasetIndexRow, u64)| DatasetItem {
        name: row.name.clone(),
        versions: *versions,
        latest: DatasetVersionItem::of(row, tags.get(&row.name).map_or(&[], Vec::as_slice)),
        starts: starts.remove(&row.name).unwrap_or_default(),
    };
    let items = rows.iter().map(item).collect();
    Ok(Json(Page::cut(items, limit, |item| item.name.clone())))
}

/// A dataset.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DatasetDetail {
    /// Its name.
    pub name: String,
    /// Its versions, newest first.
    pub items: Vec<DatasetVersionItem>,
    /// What to pass as `cursor` for older versions.
    pub next_cursor: Option<String>,
    /// Its tags.
    pub tags: Vec<LabelItem>,
    /// DAGs that its new versions may start.
    pub starts: Vec<String>,
}

/// A dataset and its versions, newest first.
#[utoipa::path(get, path = "/datasets/{dataset}", tag = "datasets", operation_id = "get_dataset",
    params(("dataset" = String, Path), Paging), responses((status = 200, body = DatasetDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(
    State(app): State<Shared>,
    Path(dataset): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Json<DatasetDetail>> {
    let limit = paging.limit()?;
    let before = page::number(paging.cursor.as_deref())?;
    let rows = app.meta.dataset_versions(&dataset, before, limit + 1).await?;
    if rows.is_empty() && before.is_none() {
        // The store knows which names are near, and holds versions that are not indexed yet.
        manifest(&app.store, &dataset, Selector::Latest).await?;
        return Err(not_indexed(&dataset));
    }
    let tags = index_labels(&app, twinloom_meta::ArtifactKind::Dataset, &dataset).await?;
    let items = rows
        .iter()
        .map(|row| DatasetVersionItem::of(row, &tags))
        .collect();
    let page = Page::cut(items, limit, |item: &DatasetVersionItem| item.version.to_string());
    Ok(Json(DatasetDetail {
        starts: app.started_by_datasets().remove(&dataset).unwrap_or_default(),
        name: dataset,
        items: page.items,
        next_cursor: page.next_cursor,
        tags,
    }))
}

/// A column with its statistics.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ColumnDetail {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    pub data_type: String,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether it is a key.
    pub key: bool,
    /// Null values.
    pub nulls: Option<u64>,
    /// The smallest value; text is cut.
    pub min: Option<String>,
    /// The largest value, likewise.
    pub max: Option<String>,
    /// Against the parent: `added`, `changed`; none where it is the same.
    pub change: Option<String>,
}

/// A task that read a version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Use {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// Its port.
    pub port: String,
    /// `new`, `unchanged`, `adopted`, `cached`: the task published it.
    pub outcome: String,
}

impl From<&ArtifactRow> for Use {
    fn from(row: &ArtifactRow) -> Self {
        Self {
            run: row.run.clone(),
            task: row.task.clone(),
            port: row.port.clone(),
            outcome: row.outcome.clone(),
        }
    }
}

/// A version with all that its manifest says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DatasetVersionDetail {
    /// The dataset.
    pub name: String,
    /// From 1.
    pub version: u64,
    /// Hash of its content.
    pub hash: String,
    /// The version before it.
    pub parent: Option<u64>,
    /// When it was committed.
    pub created_at: Timestamp,
    /// Rows.
    pub rows: u64,
    /// Bytes of Parquet.
    pub bytes: u64,
    /// Bytes that were new in the store.
    pub bytes_written: u64,
    /// Parquet files.
    pub parts: usize,
    /// Key columns; the first is the entity key.
    pub keys: Vec<String>,
    /// Columns with statistics.
    pub columns: Vec<ColumnDetail>,
    /// Columns of the parent that are gone.
    pub removed_columns: Vec<String>,
    /// Entities that differ from the parent.
    pub changes: Option<Changes>,
    /// Who made it.
    pub producer: Producer,
    /// What it was made from.
    pub inputs: Vec<Input>,
    /// Its figures.
    #[schema(value_type = Object)]
    pub metrics: BTreeMap<String, Value>,
    /// Its checks and whether they held.
    pub checks: BTreeMap<String, bool>,
    /// Tags that point at it.
    pub tags: Vec<String>,
    /// Tasks that have it as a result: the one that made it, and those that came to the same or took it from the cache.
    pub results_of: Vec<Use>,
    /// Paths of its Parquet files, for any other tool.
    pub paths: Vec<String>,
}

/// A version: schema, statistics, producer, inputs, changes. `version` is a number, a tag or `latest`.
#[utoipa::path(get, path = "/datasets/{dataset}/versions/{version}", tag = "datasets",
    operation_id = "get_dataset_version",
    params(("dataset" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = DatasetVersionDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn version(
    State(app): State<Shared>,
    Path((dataset, version)): Path<(String, String)>,
) -> Answer<Json<DatasetVersionDetail>> {
    let manifest = manifest(&app.store, &dataset, selector(&version)?).await?;
    let data = &manifest.data;
    let parent = match manifest.parent {
        // A parent that was collected is no reason to hide the child.
        Some(parent) => self::manifest(&app.store, &dataset, Selector::Number(parent))
            .await
            .ok(),
        None => None,
    };
    let (columns, removed_columns) = columns(&manifest, parent.as_deref())?;
    let tags = app.store.tags(&data.name).await?;
    let uses = app
        .meta
        .artifact_uses(
            twinloom_meta::ArtifactKind::Dataset,
            data.name.as_str(),
            manifest.version,
            page::MOST,
        )
        .await?;
    Ok(Json(DatasetVersionDetail {
        name: data.name.to_string(),
        version: manifest.version,
        hash: data.content_hash.clone(),
        parent: manifest.parent,
        created_at: manifest.created_at,
        rows: data.rows,
        bytes: data.bytes,
        bytes_written: data.bytes_written,
        parts: data.parts.len(),
        keys: data.keys.clone(),
        columns,
        removed_columns,
        changes: data.changes.map(Into::into),
        producer: (&data.producer).into(),
        inputs: data.inputs.iter().map(Input::from).collect(),
        metrics: data.metrics.clone(),
        checks: data.checks.clone(),
        tags: tags
            .into_iter()
            .filter(|(_, label)| label.version == manifest.version)
            .map(|(tag, _)| tag)
            .collect(),
        results_of: uses.iter().map(Use::from).collect(),
        paths: app.store.paths(&manifest),
    }))
}

fn columns(
    manifest: &DatasetManifest,
    parent: Option<&DatasetManifest>,
) -> Answer<(Vec<ColumnDetail>, Vec<String>)> {
    let schema = FeatureStore::schema_of(manifest)?;
    let before = parent.map(FeatureStore::schema_of).transpose()?;
    let change = |field: &arrow::datatypes::Field| {
        let before = before.as_ref()?;
        match before.field_with_name(field.name()) {
            Err(_) => Some("added".to_owned()),
            Ok(old) if old.data_type() != field.data_type() => Some("changed".to_owned()),
            Ok(_) => None,
        }
    };
    let column = |field: &Arc<arrow::datatypes::Field>| {
        let stats = manifest.data.columns.get(field.name());
        ColumnDetail {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
            key: manifest.data.keys.contains(field.name()),
            nulls: stats.map(|stats| stats.nulls),
            min: stats.and_then(|stats| stats.min.clone()),
            max: stats.and_then(|stats| stats.max.clone()),
            change: change(field),
        }
    };
    let removed = before.as_ref().map(|before| {
        let gone = before
            .fields()
            .iter()
            .filter(|field| schema.field_with_name(field.name()).is_err());
        gone.map(|field| field.name().clone()).collect()
    });
    Ok((
        schema.fields().iter().map(column).collect(),
        removed.unwrap_or_default(),
    ))
}

/// A version's manifest.
///
/// # Errors
/// What the store says.
pub async fn manifest(store: &FeatureStore, name: &str, selector: Selector) -> Answer<Arc<DatasetManifest>> {
    let name = Name::new(name)?;
    Ok(store.dataset(&Reference { name, selector }).await?)
}

/// A number, a tag or alias, or `latest`.
///
/// # Errors
/// `store.invalid_name`.
pub fn selector(text: &str) -> Answer<Selector> {
    Ok(format!("x@{text}").parse::<Reference>()?.selector)
}

/// A name whose versions are in the store alone.
pub fn not_indexed(name: &str) -> Problem {
    Problem::not_found(
        "store.not_indexed",
        format!("`{name}` is in the store and not in the index"),
        "Run `twinloom store reindex`.",
    )
}

/// Tags or aliases of one name, from the index.
///
/// # Errors
/// What the database says.
pub async fn index_labels(
    app: &Shared,
    kind: twinloom_meta::ArtifactKind,
    name: &str,
) -> Answer<Vec<LabelItem>> {
    let mut found = labels_of(app, kind, &[name]).await?;
    Ok(found.remove(name).unwrap_or_default())
}

/// Tags or aliases of many names, from the index.
///
/// # Errors
/// What the database says.
pub async fn labels_of(
    app: &Shared,
    kind: twinloom_meta::ArtifactKind,
    names: &[&str],
) -> Answer<BTreeMap<String, Vec<LabelItem>>> {
    let found = app.meta.labels_of(kind, names).await?;
    let items = found
        .into_iter()
        .map(|(name, rows)| (name, rows.into_iter().map(LabelItem::from).collect()));
    Ok(items.collect())
}
