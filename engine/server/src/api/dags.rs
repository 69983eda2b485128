//! DAGs: list, one, its file, pause, run.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::RunFilter;
use twinloom_runtime::{
    dags::{DagEntry, DagsError},
    triggers::Condition,
};
use twinloom_spec::Dag;
use utoipa::{IntoParams, ToSchema};

use super::{
    params,
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

/// Newest runs of each DAG in a list, unless asked otherwise.
const USUAL_RUNS: u64 = 5;
/// And at most.
const MOST_RUNS: u64 = 50;

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
pub async fn list(State(app): State<Shared>, Query(query): Query<DagsQuery>) -> Answer<Json<Page<DagItem>>> {
    let limit = page::usual(query.limit)?;
    let runs = query.runs.unwrap_or(USUAL_RUNS).min(MOST_RUNS);
    let text = query.q.as_ref().map(|text| text.to_lowercase());
    let after = query.cursor.as_deref();
    let wanted = |entry: &DagEntry| {
        after.is_none_or(|after| entry.name.as_str() > after)
            && text
                .as_ref()
                .is_none_or(|text| described(entry).to_lowercase().contains(text))
    };
    let entries = app.service.dags().entries();
    let mut items = Vec::new();
    for entry in entries.iter().filter(|entry| wanted(entry)) {
        if items.len() as u64 > limit {
            break;
        }
        items.push(item(&app, entry, runs).await?);
    }
    Ok(Json(Page::cut(items, limit, |item| item.name.clone())))
}

/// A DAG.
#[utoipa::path(get, path = "/dags/{dag}", tag = "dags", operation_id = "get_dag",
    params(("dag" = String, Path)), responses((status = 200, body = DagDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(State(app): State<Shared>, Path(dag): Path<String>) -> Answer<Json<DagDetail>> {
    let entry = entry(&app, &dag)?;
    let states = app.service.triggers(&dag).await?;
    let spec = entry.dag.as_deref();
    let concurrency = spec.and_then(|spec| spec.concurrency.as_ref());
    let when_busy = concurrency.and_then(|limits| limits.when_busy);
    Ok(Json(DagDetail {
        params_schema: spec.map_or_else(
            || params::schema(None),
            |spec| params::schema(spec.params.as_ref()),
        ),
        diagnostics: entry.diagnostics.iter().map(DiagnosticItem::from).collect(),
        trigger_states: states.into_iter().map(Into::into).collect(),
        steps: spec.map(steps).unwrap_or_default(),
        max_runs: concurrency.and_then(|limits| limits.max_runs.as_ref().map(|most| most.value)),
        when_busy: when_busy.and_then(|word| serde_json::to_value(word).ok()?.as_str().map(str::to_owned)),
        dag: item(&app, &entry, USUAL_RUNS).await?,
    }))
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
pub async fn source(State(app): State<Shared>, Path(dag): Path<String>) -> Answer<Response> {
    Ok(with_tag(&entry(&app, &dag)?))
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
    State(app): State<Shared>,
    Path(dag): Path<String>,
    headers: HeaderMap,
    Json(body): Json<PutSource>,
) -> Answer<Response> {
    let expected = expected(&headers)?;
    check_name(&dag)?;
    let dags = app.service.dags().clone();
    let written = tokio::task::spawn_blocking(move || dags.write(&dag, &body.text, expected.as_deref()));
    let entry = written.await.map_err(Problem::internal)??;
    Ok(with_tag(&entry))
}

/// Turns a DAG's triggers off. Running runs go on.
#[utoipa::path(post, path = "/dags/{dag}/pause", tag = "dags", operation_id = "pause_dag",
    params(("dag" = String, Path)), responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("operate"))))]
pub async fn pause(State(app): State<Shared>, who: Principal, Path(dag): Path<String>) -> Answer<Json<Done>> {
    app.service.pause(&dag, true, &who.name).await?;
    Ok(Json(Done::DONE))
}

/// Turns a DAG's triggers on again.
#[utoipa::path(post, path = "/dags/{dag}/resume", tag = "dags", operation_id = "resume_dag",
    params(("dag" = String, Path)), responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("operate"))))]
pub async fn resume(
    State(app): State<Shared>,
    who: Principal,
    Path(dag): Path<String>,
) -> Answer<Json<Done>> {
    app.service.pause(&dag, false, &who.name).await?;
    Ok(Json(Done::DONE))
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
    State(app): State<Shared>,
    who: Principal,
    Path(dag): Path<String>,
    Json(body): Json<RunRequest>,
) -> Answer<Response> {
    let trigger = serde_json::json!({ "kind": "manual" });
    let run = app.service.submit(&dag, &body.params, trigger, &who.name).await?;
    Ok(started(run))
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

/// The DAG as the folder has it.
///
/// # Errors
/// `dag.unknown`.
pub fn entry(app: &Shared, name: &str) -> Answer<DagEntry> {
    app.service.dags().entry(name).ok_or_else(|| {
        let name = name.chars().take(128).collect();
        DagsError::Unknown { name }.into()
    })
}

async fn item(app: &Shared, entry: &DagEntry, runs: u64) -> Answer<DagItem> {
    let spec = entry.dag.as_deref();
    let conditions = spec.map(Condition::of).unwrap_or_default();
    let fires = app.service.next_fires(&entry.name, 1)?;
    let last_runs = if runs == 0 {
        Vec::new()
    } else {
        let filter = RunFilter {
            dag: Some(entry.name.clone()),
            limit: runs,
            ..RunFilter::default()
        };
        app.meta.runs(&filter).await?
    };
    let labels = spec.and_then(|spec| spec.labels.as_ref());
    let labels = labels.map(|labels| {
        let pair = |(name, entry): (&str, &twinloom_spec::Entry<String>)| {
            (name.to_owned(), entry.value.clone().into())
        };
        labels.iter().map(pair).collect()
    });
    Ok(DagItem {
        name: entry.name.clone(),
        path: entry.path.display().to_string(),
        description: spec.and_then(|spec| spec.description.clone()),
        owner: spec.and_then(|spec| spec.owner.clone()),
        labels: labels.unwrap_or_default(),
        paused: entry.paused,
        valid: entry.is_current(),
        errors: entry.diagnostics.len(),
        triggers: conditions.iter().map(Condition::describe).collect(),
        next_fire: fires.first().filter(|_| !entry.paused).map(|fire| fire.at),
        last_runs: last_runs.iter().map(RunItem::from).collect(),
        hash: entry.hash.clone(),
        loaded_at: entry.loaded_at,
    })
}

fn described(entry: &DagEntry) -> String {
    let spec = entry.dag.as_deref();
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let description = text(spec.and_then(|spec| spec.description.as_ref()));
    format!(
        "{} {description} {}",
        entry.name,
        text(spec.and_then(|spec| spec.owner.as_ref()))
    )
}

fn steps(spec: &Dag) -> Vec<StepItem> {
    let step = |(name, entry): (&str, &twinloom_spec::Entry<twinloom_spec::model::Step>)| StepItem {
        name: name.to_owned(),
        uses: entry.value.uses.value.clone(),
        pool: entry.value.pool.as_ref().map(|pool| pool.value.0.clone()),
    };
    spec.steps.iter().map(step).collect()
}

fn with_tag(entry: &DagEntry) -> Response {
    let source = DagSource {
        name: entry.name.clone(),
        path: entry.path.display().to_string(),
        text: entry.text.clone(),
        hash: entry.hash.clone(),
        diagnostics: entry.diagnostics.iter().map(DiagnosticItem::from).collect(),
    };
    let mut response = Json(source).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", entry.hash)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// A DAG's name becomes a file's: nothing in it may lead elsewhere.
fn check_name(name: &str) -> Answer<()> {
    twinloom_store::Name::new(name.to_ascii_lowercase()).map_err(|_| {
        Problem::invalid(
            "dag.name",
            "this cannot be the name of a DAG",
            "Use a-z, 0-9, `_`, `-` and `.`, starting with a letter or digit.",
        )
    })?;
    Ok(())
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
