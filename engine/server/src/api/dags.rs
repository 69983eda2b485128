//! DAGs: list, one, its file, pause, run.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::{
    runs::RunItem,
    triggers::TriggerItem,
    words::{DiagnosticItem, Done},
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

/// A DAG in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DagItem {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// What it is for.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Free text by name.
    #[schema(value_type = Object)]
    pub labels: Map<String, Value>,
    /// Whether its triggers are off.
    pub paused: bool,
    /// Whether its file has no errors. An earlier version that had none may still be in force.
    pub valid: bool,
    /// Errors in its file.
    pub errors: usize,
    /// Its triggers in words: `cron 0 6 * * * Europe/Berlin`.
    pub triggers: Vec<String>,
    /// When it runs next by its schedule.
    pub next_fire: Option<Timestamp>,
    /// Its newest runs, newest first.
    pub last_runs: Vec<RunItem>,
    /// Hash of the file's text: its ETag.
    pub hash: String,
    /// When the file was read.
    pub loaded_at: Timestamp,
}

/// A DAG with all that is known of it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DagDetail {
    /// The DAG.
    #[serde(flatten)]
    pub dag: DagItem,
    /// JSON Schema of its parameters, for the run form.
    #[schema(value_type = Object)]
    pub params_schema: Value,
    /// What is wrong with its file.
    pub diagnostics: Vec<DiagnosticItem>,
    /// What starts it.
    pub trigger_states: Vec<TriggerItem>,
    /// Its steps by name, in the order of the file.
    pub steps: Vec<StepItem>,
    /// Active runs at most.
    pub max_runs: Option<u32>,
    /// What happens to one more: `queue`, `skip`, `cancel`.
    pub when_busy: Option<String>,
}

/// A step of a DAG's file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StepItem {
    /// Its name.
    pub name: String,
    /// `pipeline/NAME` or an operator.
    pub uses: String,
    /// The pool whose slots it takes.
    pub pool: Option<String>,
}

/// Which DAGs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DagsQuery {
    /// Only those whose name, description or owner holds this text.
    pub q: Option<String>,
    /// Newest runs of each; 5 unless given.
    #[param(minimum = 0, maximum = 50)]
    pub runs: Option<u64>,
    /// Items on the page; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// DAGs by name.
#[utoipa::path(get, path = "/dags", tag = "dags", operation_id = "list_dags",
    params(DagsQuery), responses((status = 200, body = Page<DagItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(State(_app): State<Shared>, Query(query): Query<DagsQuery>) -> Answer<Json<Page<DagItem>>> {
    page::limit(query.limit, page::USUAL, page::MOST)?;
    Err(super::soon())
}

/// A DAG.
#[utoipa::path(get, path = "/dags/{dag}", tag = "dags", operation_id = "get_dag",
    params(("dag" = String, Path)), responses((status = 200, body = DagDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(State(_app): State<Shared>, Path(_dag): Path<String>) -> Answer<Json<DagDetail>> {
    Err(super::soon())
}

/// A DAG's file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DagSource {
    /// The DAG.
    pub name: String,
    /// Its file.
    pub path: String,
    /// The text as it stands in the file.
    pub text: String,
    /// Hash of the text, as in the ETag.
    pub hash: String,
    /// What is wrong with it.
    pub diagnostics: Vec<DiagnosticItem>,
}

/// A DAG's file. The `ETag` is to be sent back as `If-Match` on a change.
#[utoipa::path(get, path = "/dags/{dag}/source", tag = "dags", operation_id = "get_dag_source",
    params(("dag" = String, Path)), responses((status = 200, body = DagSource, headers(("etag" = String)))),
    extensions(("x-permission" = json!("read"))))]
pub async fn source(State(_app): State<Shared>, Path(_dag): Path<String>) -> Answer<Response> {
    Err(super::soon())
}

/// A new text of a DAG's file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct PutSource {
    /// The whole text.
    pub text: String,
}

/// Changes a DAG's file, or makes one (then `If-None-Match: *` in place of `If-Match`). The text must be valid.
#[utoipa::path(put, path = "/dags/{dag}/source", tag = "dags", operation_id = "put_dag_source",
    params(("dag" = String, Path), ("If-Match" = Option<String>, Header), ("If-None-Match" = Option<String>, Header)),
    request_body = PutSource,
    responses((status = 200, body = DagSource, headers(("etag" = String)))),
    extensions(("x-permission" = json!("operate"))))]
pub async fn put_source(
    State(_app): State<Shared>,
    _who: Principal,
    Path(_dag): Path<String>,
    headers: HeaderMap,
    Json(_body): Json<PutSource>,
) -> Answer<Response> {
    expected(&headers)?;
    Err(super::soon())
}

/// Turns a DAG's triggers off. Running runs go on.
#[utoipa::path(post, path = "/dags/{dag}/pause", tag = "dags", operation_id = "pause_dag",
    params(("dag" = String, Path)), responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("operate"))))]
pub async fn pause(
    State(_app): State<Shared>,
    _who: Principal,
    Path(_dag): Path<String>,
) -> Answer<Json<Done>> {
    Err(super::soon())
}

/// Turns a DAG's triggers on again.
#[utoipa::path(post, path = "/dags/{dag}/resume", tag = "dags", operation_id = "resume_dag",
    params(("dag" = String, Path)), responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("operate"))))]
pub async fn resume(
    State(_app): State<Shared>,
    _who: Principal,
    Path(_dag): Path<String>,
) -> Answer<Json<Done>> {
    Err(super::soon())
}

/// A run to start.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RunRequest {
    /// Parameters; those left out take their defaults.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
}

/// A run that was started.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunStarted {
    /// Its id.
    pub run: String,
}

/// Starts a run.
#[utoipa::path(post, path = "/dags/{dag}/runs", tag = "dags", operation_id = "run_dag",
    params(("dag" = String, Path)), request_body = RunRequest,
    responses((status = 201, body = RunStarted, headers(("location" = String)))),
    extensions(("x-permission" = json!("operate"))))]
pub async fn run(
    State(_app): State<Shared>,
    _who: Principal,
    Path(_dag): Path<String>,
    Json(_body): Json<RunRequest>,
) -> Answer<Response> {
    Err(super::soon())
}

/// The answer to a run's start.
pub fn started(run: String) -> Response {
    let location = HeaderValue::from_str(&format!("/api/v1/runs/{run}"));
    let mut response = (StatusCode::CREATED, Json(RunStarted { run })).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// What a change of a file expects to find: the text with this hash, or (`None`) no file.
///
/// # Errors
/// `request.precondition` where neither `If-Match` nor `If-None-Match: *` is given.
fn expected(headers: &HeaderMap) -> Answer<Option<String>> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|value| value.trim() == "*") {
        return Ok(None);
    }
    let tag = text(header::IF_MATCH)
        .map(|value| value.trim().trim_start_matches("W/").trim_matches('"').to_owned());
    tag.map(Some).ok_or_else(|| {
        Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "request.precondition",
            "a change must say which text it replaces",
            "Send the ETag of GET as `If-Match`, or `If-None-Match: *` for a new file.",
        )
    })
}
