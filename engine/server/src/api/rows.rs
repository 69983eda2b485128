//! Rows of datasets: a preview, and the difference between two versions.

use std::{collections::HashSet, sync::Arc};

use arrow::array::RecordBatch;
use axum::extract::State;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_store::{DatasetManifest, FeatureStore, ReadOptions};
use utoipa::{IntoParams, ToSchema};

use super::{
    datasets::{manifest, selector},
    spec::ColumnItem,
};
use crate::{
    http::{
        extract::{Json, Path, Query},
        page,
        problem::{Answer, Problem},
    },
    state::Shared,
};

/// Rows that may be skipped: a preview is no export.
const FARTHEST: u64 = 100_000;
/// Longest text in a cell, in bytes; the rest is cut.
const LONGEST_CELL: usize = 20_000;

/// Rows of a version.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RowsPage {
    /// The columns, in order.
    pub columns: Vec<ColumnItem>,
    /// The rows as objects; long text is cut.
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<Map<String, Value>>,
    /// Rows skipped.
    pub offset: u64,
    /// Rows in all.
    pub total: u64,
}

/// Which rows.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RowsQuery {
    /// Rows; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// Rows to skip, up to 100,000.
    #[param(minimum = 0, maximum = 100_000)]
    pub offset: Option<u64>,
}

/// Rows of a version. `version` is a number, a tag or `latest`.
#[utoipa::path(get, path = "/datasets/{dataset}/versions/{version}/rows", tag = "datasets",
    operation_id = "dataset_rows",
    params(("dataset" = String, Path), ("version" = String, Path), RowsQuery),
    responses((status = 200, body = RowsPage)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(
    State(app): State<Shared>,
    Path((dataset, version)): Path<(String, String)>,
    Query(query): Query<RowsQuery>,
) -> Answer<Json<RowsPage>> {
    let limit = page::usual(query.limit)?;
    let offset = query.offset.unwrap_or(0);
    if offset > FARTHEST {
        return Err(Problem::bad_request(
            "request.offset",
            format!("a preview reaches {FARTHEST} rows far"),
            "Export the version and look at it with another tool.",
        ));
    }
    let manifest = manifest(&app.store, &dataset, selector(&version)?).await?;
    let schema = FeatureStore::schema_of(&manifest)?;
    let columns = schema.fields().iter().map(|field| ColumnItem {
        name: field.name().clone(),
        data_type: field.data_type().to_string(),
    });
    Ok(Json(RowsPage {
        columns: columns.collect(),
        rows: read(&app.store, &manifest, offset, limit, None).await?,
        offset,
        total: manifest.data.rows,
    }))
}

async fn read(
    store: &FeatureStore,
    manifest: &DatasetManifest,
    offset: u64,
    limit: u64,
    entities: Option<HashSet<String>>,
) -> Answer<Vec<Map<String, Value>>> {
    let options = ReadOptions {
        limit: usize::try_from(offset + limit).ok(),
        entities: entities.map(Arc::new),
        ..ReadOptions::default()
    };
    let mut batches = store.read(manifest, options);
    let (mut skip, mut rows) = (usize::try_from(offset).unwrap_or(usize::MAX), Vec::new());
    while let Some(batch) = batches.try_next().await? {
        if skip >= batch.num_rows() {
            skip -= batch.num_rows();
            continue;
        }
        let batch = batch.slice(skip, batch.num_rows() - skip);
        skip = 0;
        rows.extend(objects(&batch)?);
    }
    Ok(rows)
}

fn objects(batch: &RecordBatch) -> Answer<Vec<Map<String, Value>>> {
    let batch = twinloom_store::printable(batch)?;
    let mut text = Vec::new();
    let mut writer = arrow::json::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::LineDelimited>(&mut text);
    writer.write(&batch).map_err(Problem::internal)?;
    writer.finish().map_err(Problem::internal)?;
    drop(writer);
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let mut row: Map<String, Value> = serde_json::from_slice(line).map_err(Problem::internal)?;
            row.values_mut().for_each(cut);
            Ok(row)
        })
        .collect()
}

fn cut(value: &mut Value) {
    if let Value::String(text) = value
        && text.len() > LONGEST_CELL
    {
        let end = text.floor_char_boundary(LONGEST_CELL);
        text.truncate(end);
        text.push('…');
    }
}

/// How an entity differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only in the newer version.
    Added,
    /// In both, with other rows.
    Changed,
    /// Only in the older version.
    Removed,
}

/// An entity that differs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiffItem {
    /// Its key.
    pub key: String,
    /// How.
    pub change: Change,
    /// Its rows in the older version.
    #[schema(value_type = Vec<Object>)]
    pub before: Vec<Map<String, Value>>,
    /// Its rows in the newer version.
    #[schema(value_type = Vec<Object>)]
    pub after: Vec<Map<String, Value>>,
}

/// The difference between two versions.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DiffPage {
    /// The older version.
    pub from: u64,
    /// The newer version.
    pub to: u64,
    /// Entities only in the newer.
    pub added: usize,
    /// Entities with other rows.
    pub changed: usize,
    /// Entities only in the older.
    pub removed: usize,
    /// The first of them, with their rows.
    pub items: Vec<DiffItem>,
    /// Whether there are more than `items`.
    pub truncated: bool,
}

/// Which versions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DiffQuery {
    /// The older: a number, a tag or `latest`.
    pub from: String,
    /// The newer.
    pub to: String,
    /// Entities with their rows; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
}

/// How two versions differ, by key.
#[utoipa::path(get, path = "/datasets/{dataset}/diff", tag = "datasets", operation_id = "dataset_diff",
    params(("dataset" = String, Path), DiffQuery), responses((status = 200, body = DiffPage)),
    extensions(("x-permission" = json!("read"))))]
pub async fn diff(
    State(app): State<Shared>,
    Path(dataset): Path<String>,
    Query(query): Query<DiffQuery>,
) -> Answer<Json<DiffPage>> {
    let limit = page::usual(query.limit)? as usize;
    let from = manifest(&app.store, &dataset, selector(&query.from)?).await?;
    let to = manifest(&app.store, &dataset, selector(&query.to)?).await?;
    let diff = app.store.diff(&from, &to).await?;
    let all = [
        (Change::Changed, &diff.changed),
        (Change::Added, &diff.added),
        (Change::Removed, &diff.removed),
    ];
    let total: usize = all.iter().map(|(_, keys)| keys.len()).sum();
    let shown: Vec<(Change, &String)> = all
        .into_iter()
        .flat_map(|(change, keys)| keys.iter().map(move |key| (change, key)))
        .take(limit)
        .collect();
    let keys = |but: Change| -> HashSet<String> {
        shown
            .iter()
            .filter(|(change, _)| *change != but)
            .map(|(_, key)| (*key).clone())
            .collect()
    };
    let before = of_entities(&app.store, &from, keys(Change::Added)).await?;
    let after = of_entities(&app.store, &to, keys(Change::Removed)).await?;
    let column = to.data.keys.first().cloned().unwrap_or_default();
    let rows = |rows: &[Map<String, Value>], key: &str| {
        let of_key = |row: &&Map<String, Value>| row.get(&column).is_some_and(|value| plain(value) == key);
        rows.iter().filter(of_key).cloned().collect()
    };
    Ok(Json(DiffPage {
        from: from.version,
        to: to.version,
        added: diff.added.len(),
        changed: diff.changed.len(),
        removed: diff.removed.len(),
        truncated: shown.len() < total,
        items: shown
            .iter()
            .map(|(change, key)| DiffItem {
                key: (*key).clone(),
                change: *change,
                before: rows(&before, key),
                after: rows(&after, key),
            })
            .collect(),
    }))
}

async fn of_entities(
    store: &FeatureStore,
    manifest: &DatasetManifest,
    keys: HashSet<String>,
) -> Answer<Vec<Map<String, Value>>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    // An entity may have many rows (the chunks of a document); a page shows the first.
    let most = keys.len() as u64 * 20;
    read(store, manifest, 0, most, Some(keys)).await
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
