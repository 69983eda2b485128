//! What a version was made from, and what was made from it.

use std::collections::{BTreeMap, VecDeque};

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twinloom_store::{ArtifactKind as StoreKind, Lineage, LineageNode, Selector};
use utoipa::{IntoParams, ToSchema};

use super::{
    datasets::{manifest, selector},
    words::{ArtifactKind, Producer},
};
use crate::{
    http::{
        extract::{Json, Path, Query},
        problem::Answer,
    },
    state::Shared,
};

/// Steps in either direction unless asked otherwise.
const USUAL_DEPTH: u32 = 6;
/// Nodes in a picture at most.
const MOST_NODES: usize = 2_000;

/// A lineage graph.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LineagePicture {
    /// The version asked for: `dataset:articles@3`.
    pub root: String,
    /// The versions.
    pub nodes: Vec<LineageVersion>,
    /// Which was made from which.
    pub edges: Vec<LineageLink>,
    /// Whether there is more than this depth shows.
    pub truncated: bool,
}

/// A version in a lineage.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LineageVersion {
    /// `dataset:articles@3`.
    pub key: String,
    /// Dataset or model.
    pub kind: ArtifactKind,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Steps from the root: below zero is what it was made from, above zero what came of it.
    pub distance: i64,
    /// When it was committed; unknown where its manifest is gone.
    pub created_at: Option<Timestamp>,
    /// Who made it, likewise.
    pub producer: Option<Producer>,
}

/// One version made from another.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LineageLink {
    /// It was made from this.
    pub from: String,
    /// This was made.
    pub to: String,
    /// The input port.
    pub port: String,
}

/// How far.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LineageQuery {
    /// A number, a tag or alias, or `latest` (unless given).
    pub version: Option<String>,
    /// Steps in either direction; 6 unless given.
    #[param(minimum = 0, maximum = 100)]
    pub depth: Option<u32>,
}

impl LineageQuery {
    fn selector(&self) -> Answer<Selector> {
        selector(self.version.as_deref().unwrap_or("latest"))
    }
}

/// Lineage of a dataset version, both ways.
#[utoipa::path(get, path = "/datasets/{dataset}/lineage", tag = "datasets", operation_id = "dataset_lineage",
    params(("dataset" = String, Path), LineageQuery), responses((status = 200, body = LineagePicture)),
    extensions(("x-permission" = json!("read"))))]
pub async fn dataset(
    State(app): State<Shared>,
    Path(dataset): Path<String>,
    Query(query): Query<LineageQuery>,
) -> Answer<Json<LineagePicture>> {
    let manifest = manifest(&app.store, &dataset, query.selector()?).await?;
    let lineage = app.store.lineage(StoreKind::Dataset, &manifest.id()).await?;
    Ok(Json(cut(lineage, query.depth.unwrap_or(USUAL_DEPTH))))
}

/// Lineage of a model version, both ways.
#[utoipa::path(get, path = "/models/{model}/lineage", tag = "models", operation_id = "model_lineage",
    params(("model" = String, Path), LineageQuery), responses((status = 200, body = LineagePicture)),
    extensions(("x-permission" = json!("read"))))]
pub async fn model(
    State(app): State<Shared>,
    Path(model): Path<String>,
    Query(query): Query<LineageQuery>,
) -> Answer<Json<LineagePicture>> {
    let manifest = super::models::manifest(&app.store, &model, query.selector()?).await?;
    let lineage = app.store.lineage(StoreKind::Model, &manifest.id()).await?;
    Ok(Json(cut(lineage, query.depth.unwrap_or(USUAL_DEPTH))))
}

/// What lies within `depth` of the root.
fn cut(lineage: Lineage, depth: u32) -> LineagePicture {
    let mut distances: BTreeMap<String, i64> = BTreeMap::from([(lineage.root.clone(), 0)]);
    let mut truncated = false;
    for direction in [-1_i64, 1] {
        let mut ahead = VecDeque::from([(lineage.root.clone(), 0_u32)]);
        while let Some((key, distance)) = ahead.pop_front() {
            let next = lineage.edges.iter().filter_map(|edge| {
                let (near, far) = if direction < 0 {
                    (&edge.to, &edge.from)
                } else {
                    (&edge.from, &edge.to)
                };
                (*near == key).then_some(far)
            });
            for far in next {
                if distances.contains_key(far) {
                    continue;
                }
                if distance >= depth || distances.len() >= MOST_NODES {
                    truncated = true;
                    continue;
                }
                distances.insert(far.clone(), direction * i64::from(distance + 1));
                ahead.push_back((far.clone(), distance + 1));
            }
        }
    }
    let version = |node: LineageNode| {
        let distance = *distances.get(&node.key)?;
        Some(LineageVersion {
            distance,
            kind: node.kind.into(),
            name: node.id.name.to_string(),
            version: node.id.version,
            created_at: node.created_at,
            producer: node.producer.as_ref().map(Producer::from),
            key: node.key,
        })
    };
    let near = |key: &String| distances.contains_key(key);
    LineagePicture {
        edges: lineage
            .edges
            .iter()
            .filter(|edge| near(&edge.from) && near(&edge.to))
            .map(|edge| LineageLink {
                from: edge.from.clone(),
                to: edge.to.clone(),
                port: edge.port.clone(),
            })
            .collect(),
        nodes: lineage.nodes.into_iter().filter_map(version).collect(),
        root: lineage.root,
        truncated,
    }
}
