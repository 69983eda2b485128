//! Runs: list, one, cancel, retry, why.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::{RunFilter, RunHead};
use utoipa::{IntoParams, ToSchema};

use super::{
    approvals::DecisionItem,
    tasks::TaskItem,
    words::{Cause, Done, Failure, RunState, object},
};
use crate::{
    auth::principal::Principal,
    http::{
        extract::{Json, Path, Query},
        page::{self, Page},
        problem::{Answer, Problem},
    },
    state::Shared,
};

/// A run in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunItem {
    /// ULID; sorts by time.
    pub id: String,
    /// Its DAG.
    pub dag: String,
    /// Where it stands.
    pub state: RunState,
    /// Its parameters.
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
    /// What started it.
    pub trigger: Cause,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first task was queued.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed or was cancelled.
    pub error: Option<Failure>,
}

impl From<&RunHead> for RunItem {
    fn from(row: &RunHead) -> Self {
        Self {
            id: row.id.clone(),
            dag: row.dag.clone(),
            state: row.state.into(),
            params: object(&row.params),
            trigger: Cause::of(&row.trigger),
            created_at: row.created_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            error: Failure::of(row.error.as_ref()),
        }
    }
}

/// A run with its tasks.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunDetail {
    /// The run.
    #[serde(flatten)]
    pub run: RunItem,
    /// Its tasks, in the plan's order.
    pub tasks: Vec<TaskItem>,
    /// What people decided in it, in order.
    pub decisions: Vec<DecisionItem>,
}

/// Which runs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RunsQuery {
    /// Only those of this DAG.
    pub dag: Option<String>,
    /// Only those in these states, with commas between.
    #[param(example = "failed,running")]
    pub state: Option<String>,
    /// Only those whose id, DAG, parameters, trigger or error holds this text.
    pub q: Option<String>,
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
    /// Items on the page; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Runs, newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", operation_id = "list_runs",
    params(RunsQuery), responses((status = 200, body = Page<RunItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(State(app): State<Shared>, Query(query): Query<RunsQuery>) -> Answer<Json<Page<RunItem>>> {
    let limit = page::usual(query.limit)?;
    let filter = RunFilter {
        states: states(query.state.as_deref())?,
        dag: query.dag,
        text: query.q.filter(|text| !text.is_empty()),
        since: query.since,
        until: query.until,
        before: query.cursor,
        limit: limit + 1,
        ..RunFilter::default()
    };
    let rows = app.meta.runs(&filter).await.map_err(cursor_error)?;
    Ok(Json(Page::of(&rows, limit, |run: &RunItem| run.id.clone())))
}

/// A run with its tasks. `run` is an id or the start of one.
#[utoipa::path(get, path = "/runs/{run}", tag = "runs", operation_id = "get_run",
    params(("run" = String, Path)), responses((status = 200, body = RunDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(State(app): State<Shared>, Path(run): Path<String>) -> Answer<Json<RunDetail>> {
    let head = app.meta.run_head(&run).await?;
    let summary = app.engine.summary(&head.id).await?;
    let decisions = app.meta.decisions(&head.id).await?;
    let mut item = RunItem::from(&head);
    if let (Some(error), Some(failed)) = (
        &mut item.error,
        summary.tasks.iter().find(|task| task.error.is_some()),
    ) {
        error.task.get_or_insert_with(|| failed.id.clone());
    }
    Ok(Json(RunDetail {
        run: item,
        tasks: summary.tasks.iter().map(TaskItem::from).collect(),
        decisions: decisions.iter().map(DecisionItem::from).collect(),
    }))
}

/// Why to cancel.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct CancelRequest {
    /// For the record.
    pub reason: Option<String>,
}

/// Cancels a run: its processes are ended, what has not started never starts.
#[utoipa::path(post, path = "/runs/{run}/cancel", tag = "runs", operation_id = "cancel_run",
    params(("run" = String, Path)), request_body = CancelRequest, responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("operate"))))]
pub async fn cancel(
    State(app): State<Shared>,
    who: Principal,
    Path(run): Path<String>,
    Json(body): Json<CancelRequest>,
) -> Answer<Json<Done>> {
    let reason = body
        .reason
        .unwrap_or_else(|| format!("cancelled by {}", who.name));
    app.engine.cancel(&run, &who.name, &reason).await?;
    Ok(Json(Done::DONE))
}

/// What to run again.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RetryRequest {
    /// Also this task and everything after it, even if they succeeded.
    pub from: Option<String>,
}

/// Runs the failed part of a run again, or all from one task on.
#[utoipa::path(post, path = "/runs/{run}/retry", tag = "runs", operation_id = "retry_run",
    params(("run" = String, Path)), request_body = RetryRequest, responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("operate"))))]
pub async fn retry(
    State(app): State<Shared>,
    who: Principal,
    Path(run): Path<String>,
    Json(body): Json<RetryRequest>,
) -> Answer<Json<Done>> {
    let id = app.meta.run_head(&run).await?.id;
    app.engine.retry(&id, body.from.as_deref(), &who.name).await?;
    Ok(Json(Done::DONE))
}

/// A point of a curve.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// The training step or other abscissa.
    pub step: Option<i64>,
    /// The value; none where it is not a number.
    pub value: Option<f64>,
    /// When.
    pub at: Timestamp,
}

/// A curve of a task.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Series {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// The metric.
    pub name: String,
    /// Its points, in order.
    pub points: Vec<Point>,
    /// Points in all; where it is more than there are here, every n-th is here.
    pub total: usize,
}

/// Curves and figures of a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunMetrics {
    /// Figures by task.
    #[schema(value_type = Object)]
    pub figures: Map<String, Value>,
    /// Curves.
    pub series: Vec<Series>,
}

/// Metrics of a run: figures of its tasks, and curves.
#[utoipa::path(get, path = "/runs/{run}/metrics", tag = "runs", operation_id = "run_metrics",
    params(("run" = String, Path)), responses((status = 200, body = RunMetrics)),
    extensions(("x-permission" = json!("read"))))]
pub async fn metrics(State(app): State<Shared>, Path(run): Path<String>) -> Answer<Json<RunMetrics>> {
    let id = app.meta.run_head(&run).await?.id;
    let tasks = app.meta.tasks(&id).await?;
    let figures = tasks
        .iter()
        .filter_map(|task| Some((task.id.clone(), task.metrics.clone().filter(|m| !m.is_null())?)))
        .collect();
    let series = super::experiments::series(&app, &id, None).await?;
    Ok(Json(RunMetrics { figures, series }))
}

/// Which task to explain.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhyQuery {
    /// One task only.
    pub task: Option<String>,
}

/// Why a run or a task stands where it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WhyAnswer {
    /// In words, one sentence a line.
    pub text: String,
    /// Events of the run, in order.
    pub events: Vec<super::events::EventItem>,
}

/// Explains a run, or one of its tasks.
#[utoipa::path(get, path = "/runs/{run}/why", tag = "runs", operation_id = "why",
    params(("run" = String, Path), WhyQuery), responses((status = 200, body = WhyAnswer)),
    extensions(("x-permission" = json!("read"))))]
pub async fn why(
    State(app): State<Shared>,
    Path(run): Path<String>,
    Query(query): Query<WhyQuery>,
) -> Answer<Json<WhyAnswer>> {
    let why = app.engine.why(&run, query.task.as_deref()).await?;
    Ok(Json(WhyAnswer {
        text: why.text,
        events: why.events.iter().map(Into::into).collect(),
    }))
}

/// The DAG's file as the run had it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunSource {
    /// The DAG.
    pub dag: String,
    /// The text.
    pub text: String,
    /// The parameters.
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
}

/// The exact text that a run ran with.
#[utoipa::path(get, path = "/runs/{run}/source", tag = "runs", operation_id = "run_source",
    params(("run" = String, Path)), responses((status = 200, body = RunSource)),
    extensions(("x-permission" = json!("read"))))]
pub async fn source(State(app): State<Shared>, Path(run): Path<String>) -> Answer<Json<RunSource>> {
    let row = app.meta.run(&run).await?;
    Ok(Json(RunSource {
        dag: row.dag,
        text: row.dag_text,
        params: object(&row.params),
    }))
}

/// States with commas between.
///
/// # Errors
/// `request.state`.
pub fn states(text: Option<&str>) -> Answer<Vec<twinloom_meta::RunState>> {
    let words = text
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    words
        .map(|word| {
            word.parse().map_err(|error| {
                Problem::bad_request(
                    "request.state",
                    error,
                    "Give one of those words, or several with commas.",
                )
            })
        })
        .collect()
}

/// A cursor that names no run is the caller's fault, not a missing page.
pub fn cursor_error(error: twinloom_meta::MetaError) -> Problem {
    if matches!(error.code(), "meta.not_found" | "meta.ambiguous") {
        return page::bad_cursor();
    }
    error.into()
}
