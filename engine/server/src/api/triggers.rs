//! What starts a DAG: triggers, fire times, decisions, backfills.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinloom_runtime::service;
use utoipa::{IntoParams, ToSchema};

use crate::{
    auth::principal::Principal,
    http::{
        extract::{Json, Path, Query},
        page::{self, Page},
        problem::Answer,
    },
    state::Shared,
};

/// A time at which a DAG runs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FireItem {
    /// When.
    pub at: Timestamp,
    /// By what.
    pub why: String,
    /// The run that was started for this very time, in a backfill.
    pub run: Option<String>,
}

impl From<service::Fire> for FireItem {
    fn from(fire: service::Fire) -> Self {
        Self {
            at: fire.at,
            why: fire.why,
            run: fire.run,
        }
    }
}

/// How many.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FiresQuery {
    /// How many times; 10 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub count: Option<u64>,
}

/// The next times at which a DAG runs by its schedules.
#[utoipa::path(get, path = "/dags/{dag}/fires", tag = "dags", operation_id = "dag_fires",
    params(("dag" = String, Path), FiresQuery), responses((status = 200, body = Page<FireItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn fires(
    State(app): State<Shared>,
    Path(dag): Path<String>,
    Query(query): Query<FiresQuery>,
) -> Answer<Json<Page<FireItem>>> {
    let count = page::limit(query.count, 10, page::MOST)?;
    let fires = app
        .service
        .next_fires(&dag, usize::try_from(count).unwrap_or(usize::MAX))?;
    Ok(Json(Page::whole(fires.into_iter().map(FireItem::from).collect())))
}

/// A trigger and how far it is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TriggerItem {
    /// Unique in the DAG.
    pub id: String,
    /// `schedule`, `datasets`, `models`, `runs`, `webhook`, `queue`, `freshness`.
    pub kind: String,
    /// In words.
    pub description: String,
    /// As the file states it.
    #[schema(value_type = Object)]
    pub condition: Value,
    /// What it has and what it waits for.
    #[schema(value_type = Object)]
    pub state: Value,
    /// When it will do something by itself.
    pub next_at: Option<Timestamp>,
    /// When it last fired.
    pub last_fired_at: Option<Timestamp>,
    /// The run that it last started.
    pub last_run: Option<String>,
    /// What it would take to fire, in words.
    pub would_take: String,
    /// How the queue does that it listens to, once that is known.
    pub queue: Option<QueueItem>,
}

/// How a queue does.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QueueItem {
    /// Whether messages can come.
    pub connected: bool,
    /// Why they cannot.
    pub error: Option<String>,
    /// Since when that has been so.
    pub since: Timestamp,
}

impl From<service::QueueState> for QueueItem {
    fn from(state: service::QueueState) -> Self {
        Self {
            connected: state.connected,
            error: state.error,
            since: state.since,
        }
    }
}

impl From<service::TriggerStatus> for TriggerItem {
    fn from(status: service::TriggerStatus) -> Self {
        Self {
            id: status.id,
            kind: status.kind,
            description: status.description,
            condition: status.condition,
            state: status.state,
            next_at: status.next_at,
            last_fired_at: status.last_fired_at,
            last_run: status.last_run,
            would_take: status.would_take,
            queue: status.queue.map(QueueItem::from),
        }
    }
}

/// A DAG's triggers.
#[utoipa::path(get, path = "/dags/{dag}/triggers", tag = "dags", operation_id = "dag_triggers",
    params(("dag" = String, Path)), responses((status = 200, body = Page<TriggerItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(State(app): State<Shared>, Path(dag): Path<String>) -> Answer<Json<Page<TriggerItem>>> {
    let found = app.service.triggers(&dag).await?;
    Ok(Json(Page::whole(
        found.into_iter().map(TriggerItem::from).collect(),
    )))
}

/// What a trigger made of an event.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DecisionEntry {
    /// The event's cursor, where it was one of the log.
    pub event: Option<i64>,
    /// The trigger.
    pub trigger: String,
    /// When.
    pub at: Timestamp,
    /// Whether it fired.
    pub fired: bool,
    /// The run that it started.
    pub run: Option<String>,
    /// Why, or why not.
    pub reason: String,
}

/// What a DAG's triggers decided lately, newest first.
#[utoipa::path(get, path = "/dags/{dag}/decisions", tag = "dags", operation_id = "dag_decisions",
    params(("dag" = String, Path)), responses((status = 200, body = Page<DecisionEntry>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn decisions(
    State(app): State<Shared>,
    Path(dag): Path<String>,
) -> Answer<Json<Page<DecisionEntry>>> {
    let found = app.service.why(&dag).await?;
    let entry = |one: service::TriggerDecision| DecisionEntry {
        event: one.event,
        trigger: one.trigger,
        at: one.at,
        fired: one.fired,
        run: one.run,
        reason: one.reason,
    };
    Ok(Json(Page::whole(found.into_iter().map(entry).collect())))
}

/// A range of schedule times.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BackfillQuery {
    /// From this time on.
    pub from: Timestamp,
    /// Up to and with this time.
    pub to: Timestamp,
}

/// What a backfill would run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BackfillPreview {
    /// The times, each with its run where it has one already: those without are what would start.
    pub fires: Vec<FireItem>,
}

/// The schedule times of a range, and which of them have runs. Nothing is started.
#[utoipa::path(get, path = "/dags/{dag}/backfill", tag = "dags", operation_id = "preview_backfill",
    params(("dag" = String, Path), BackfillQuery), responses((status = 200, body = BackfillPreview)),
    extensions(("x-permission" = json!("read"))))]
pub async fn preview_backfill(
    State(app): State<Shared>,
    Path(dag): Path<String>,
    Query(range): Query<BackfillQuery>,
) -> Answer<Json<BackfillPreview>> {
    let fires = app.service.backfill_preview(&dag, range.from, range.to).await?;
    Ok(Json(BackfillPreview {
        fires: fires.into_iter().map(FireItem::from).collect(),
    }))
}

/// A range of schedule times to run. What it does not know is refused: nothing is to start by a wrong word.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// From this time on.
    pub from: Timestamp,
    /// Up to and with this time.
    pub to: Timestamp,
}

/// A backfill.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BackfillAnswer {
    /// The times, each with the run that it had before.
    pub fires: Vec<FireItem>,
    /// The runs that were started.
    pub runs: Vec<String>,
}

/// Runs a DAG for the schedule times of a range that have no run yet.
#[utoipa::path(post, path = "/dags/{dag}/backfill", tag = "dags", operation_id = "backfill_dag",
    params(("dag" = String, Path)), request_body = BackfillRequest,
    responses((status = 200, body = BackfillAnswer)),
    extensions(("x-permission" = json!("operate"))))]
pub async fn backfill(
    State(app): State<Shared>,
    who: Principal,
    Path(dag): Path<String>,
    Json(body): Json<BackfillRequest>,
) -> Answer<Json<BackfillAnswer>> {
    let fires = app.service.backfill_preview(&dag, body.from, body.to).await?;
    let runs = app.service.backfill(&dag, body.from, body.to, &who.name).await?;
    Ok(Json(BackfillAnswer {
        fires: fires.into_iter().map(FireItem::from).collect(),
        runs,
    }))
}
