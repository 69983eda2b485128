//! Pools, storage, garbage collection, and the API's own document.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twinloom_store::GcOptions;
use utoipa::ToSchema;

use crate::{
    http::{extract::Json, page::Page, problem::Answer},
    state::Shared,
};

/// A pool of slots.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PoolItem {
    /// Its name; `default` is what tasks without a pool share.
    pub name: String,
    /// Its slots, where a limit is known.
    pub slots: Option<u64>,
    /// Tasks that run in it.
    pub running: u64,
    /// Tasks that wait for a slot of it.
    pub queued: u64,
}

/// Pools and how full they are.
#[utoipa::path(get, path = "/pools", tag = "care", operation_id = "list_pools",
    responses((status = 200, body = Page<PoolItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn pools(State(app): State<Shared>) -> Answer<Json<Page<PoolItem>>> {
    let config = app.engine.config();
    let mut pools: BTreeMap<String, PoolItem> = BTreeMap::new();
    let item = |name: &str, slots: Option<u64>| PoolItem {
        name: name.to_owned(),
        slots,
        running: 0,
        queued: 0,
    };
    pools.insert(
        "default".to_owned(),
        item("default", Some(config.max_parallel as u64)),
    );
    for (name, slots) in &config.pools {
        pools.insert(name.clone(), item(name, Some(u64::from(*slots))));
    }
    let open = twinloom_meta::RunFilter {
        states: vec![twinloom_meta::RunState::Running, twinloom_meta::RunState::Waiting],
        limit: 500,
        ..twinloom_meta::RunFilter::default()
    };
    for head in app.meta.runs(&open).await? {
        let plan = super::tasks::plan_of(&app.meta.run(&head.id).await?)?;
        for (name, slots) in &plan.pools {
            pools
                .entry(name.clone())
                .or_insert_with(|| item(name, Some(u64::from(*slots))));
        }
        let of_task: BTreeMap<&str, &str> = plan
            .tasks
            .iter()
            .map(|task| (task.id.as_str(), task.pool.as_deref().unwrap_or("default")))
            .collect();
        for task in app.meta.task_cells(std::slice::from_ref(&head.id)).await? {
            let name = of_task.get(task.id.as_str()).copied().unwrap_or("default");
            let pool = pools.entry(name.to_owned()).or_insert_with(|| item(name, None));
            match task.state {
                twinloom_meta::TaskState::Running => pool.running += 1,
                twinloom_meta::TaskState::Queued => pool.queued += 1,
                _ => {}
            }
        }
    }
    Ok(Json(Page::whole(pools.into_values().collect())))
}

/// Where state is, and how much.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Storage {
    /// Where the feature store is, without credentials.
    pub store: String,
    /// Where the database is, without credentials.
    pub database: String,
    /// Datasets.
    pub datasets: u64,
    /// Their versions.
    pub dataset_versions: u64,
    /// Bytes that their newest versions refer to.
    pub latest_bytes: u64,
    /// Models.
    pub models: u64,
    /// Their versions.
    pub model_versions: u64,
    /// Runs.
    pub runs: u64,
    /// Events.
    pub events: u64,
}

/// Storage.
#[utoipa::path(get, path = "/storage", tag = "care", operation_id = "storage",
    responses((status = 200, body = Storage)),
    extensions(("x-permission" = json!("read"))))]
pub async fn storage(State(app): State<Shared>) -> Answer<Json<Storage>> {
    let index = app.meta.index_totals().await?;
    let runs = app.meta.run_counts(None).await?;
    Ok(Json(Storage {
        store: app.store.location().public_url(),
        database: app.meta.location(),
        datasets: index.datasets,
        dataset_versions: index.dataset_versions,
        latest_bytes: index.latest_bytes,
        models: index.models,
        model_versions: index.model_versions,
        runs: runs.values().sum(),
        events: u64::try_from(app.meta.last_event().await?).unwrap_or_default(),
    }))
}

/// What to collect.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CollectRequest {
    /// Only say what would go.
    pub dry_run: bool,
    /// Keep files younger than this many hours; 24 unless given.
    pub grace_hours: Option<u64>,
    /// Also drop all but this many newest versions of each dataset, less what models in use, tags and runs need.
    #[schema(minimum = 1)]
    pub keep_versions: Option<u64>,
}

/// What garbage collection did, or would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CollectAnswer {
    /// Whether it only looked.
    pub dry_run: bool,
    /// Versions that retention took away.
    pub retired: Vec<String>,
    /// Blobs that are kept.
    pub kept_blobs: u64,
    /// Blobs removed.
    pub removed_blobs: u64,
    /// Bytes of them.
    pub removed_bytes: u64,
    /// Blobs that nothing keeps but that are too young.
    pub young_blobs: u64,
    /// Remains of crashed writes removed.
    pub removed_temporary: u64,
}

/// Removes what no version, tag or alias keeps.
#[utoipa::path(post, path = "/storage/gc", tag = "care", operation_id = "collect_garbage",
    request_body = CollectRequest, responses((status = 200, body = CollectAnswer)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn collect(
    State(app): State<Shared>,
    Json(body): Json<CollectRequest>,
) -> Answer<Json<CollectAnswer>> {
    let hours = body.grace_hours.unwrap_or(24);
    if hours == 0 && !body.dry_run {
        return Err(crate::http::problem::Problem::invalid(
            "storage.grace",
            "without a grace period a running task would lose what it is about to publish",
            "Give `grace_hours` of 1 or more.",
        ));
    }
    let keep_versions = body.keep_versions.filter(|keep| *keep > 0);
    if keep_versions != body.keep_versions {
        return Err(crate::http::problem::Problem::invalid(
            "storage.keep",
            "the newest version always stays",
            "Give `keep_versions` of 1 or more.",
        ));
    }
    let options = GcOptions {
        dry_run: body.dry_run,
        grace: Duration::from_secs(hours.saturating_mul(3600)),
        keep_versions,
        ..GcOptions::new(Timestamp::now())
    };
    let report = twinloom_runtime::index::collect(&app.meta, &app.store, options).await?;
    Ok(Json(CollectAnswer {
        dry_run: report.dry_run,
        retired: report.retired,
        kept_blobs: report.kept_blobs,
        removed_blobs: report.removed_blobs,
        removed_bytes: report.removed_bytes,
        young_blobs: report.young_blobs,
        removed_temporary: report.removed_temporary,
    }))
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "care", operation_id = "openapi",
    responses((status = 200, body = Object)),
    extensions(("x-permission" = json!("public"))))]
pub async fn document(State(app): State<Shared>) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, app.document.to_string()).into_response()
}
