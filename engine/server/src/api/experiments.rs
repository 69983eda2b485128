//! Experiments: runs as rows of parameters and figures, and their curves.

use std::collections::BTreeMap;

use axum::extract::{RawQuery, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::RunFilter;
use utoipa::{IntoParams, ToSchema};

use super::{
    runs::{Point, Series, cursor_error, states},
    words::{RunState, object},
};
use crate::{
    http::{
        extract::{Json, Query},
        page::{self, Page},
        problem::{Answer, Problem},
    },
    state::Shared,
};

/// Points of a curve that are sent: more cannot be seen.
const MOST_POINTS: usize = 2_000;
/// Runs whose curves are laid over each other.
const MOST_RUNS: usize = 50;

/// A run as an experiment.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExperimentRow {
    /// The run.
    pub run: String,
    /// Its DAG.
    pub dag: String,
    /// Where it stands.
    pub state: RunState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Its parameters.
    #[schema(value_type = Object)]
    pub params: Map<String, Value>,
    /// Figures as `task.metric`.
    #[schema(value_type = Object)]
    pub metrics: BTreeMap<String, Value>,
    /// Datasets and models that it published: `name@version`.
    pub artifacts: Vec<String>,
}

/// Which experiments.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExperimentsQuery {
    /// Only runs of this DAG.
    pub dag: Option<String>,
    /// Only figures whose name holds this text.
    pub metric: Option<String>,
    /// Only runs in these states, with commas between.
    pub state: Option<String>,
    /// Items on the page; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Runs as rows, newest first.
#[utoipa::path(get, path = "/experiments", tag = "experiments", operation_id = "list_experiments",
    params(ExperimentsQuery), responses((status = 200, body = Page<ExperimentRow>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(
    State(app): State<Shared>,
    Query(query): Query<ExperimentsQuery>,
) -> Answer<Json<Page<ExperimentRow>>> {
    let limit = page::usual(query.limit)?;
    let filter = RunFilter {
        states: states(query.state.as_deref())?,
        dag: query.dag,
        before: query.cursor,
        limit: limit + 1,
        ..RunFilter::default()
    };
    let runs = app.meta.runs(&filter).await.map_err(cursor_error)?;
    let ids: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
    let mut figures: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for cell in app.meta.task_cells(&ids).await? {
        let of_run = figures.entry(cell.run).or_default();
        for (name, value) in cell.metrics.as_ref().map(object).unwrap_or_default() {
            let name = format!("{}.{name}", cell.id);
            if query
                .metric
                .as_ref()
                .is_none_or(|text| name.contains(text.as_str()))
            {
                of_run.insert(name, value);
            }
        }
    }
    let mut artifacts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in app.meta.artifacts_of(&ids).await? {
        let list = artifacts.entry(row.run).or_default();
        list.push(format!("{}@{}", row.name, row.version));
    }
    let items = runs
        .iter()
        .map(|run| ExperimentRow {
            run: run.id.clone(),
            dag: run.dag.clone(),
            state: run.state.into(),
            created_at: run.created_at,
            ended_at: run.ended_at,
            params: object(&run.params),
            metrics: figures.remove(&run.id).unwrap_or_default(),
            artifacts: artifacts.remove(&run.id).unwrap_or_default(),
        })
        .collect();
    Ok(Json(Page::cut(items, limit, |row| row.run.clone())))
}

/// Curves of runs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Curves {
    /// The curves.
    pub series: Vec<Series>,
}

/// Curves of several runs, to lay over each other: `?run=A&run=B&metric=train_loss`.
#[utoipa::path(get, path = "/experiments/curves", tag = "experiments", operation_id = "curves",
    params(("run" = Vec<String>, Query), ("metric" = Option<String>, Query)),
    responses((status = 200, body = Curves)),
    extensions(("x-permission" = json!("read"))))]
pub async fn curves(State(app): State<Shared>, RawQuery(query): RawQuery) -> Answer<Json<Curves>> {
    let query = query.unwrap_or_default();
    let mut metric = None;
    let mut runs = Vec::new();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "run" => runs.push(value.into_owned()),
            "metric" => metric = Some(value.into_owned()),
            _ => {}
        }
    }
    if runs.is_empty() || runs.len() > MOST_RUNS {
        return Err(Problem::bad_request(
            "request.query",
            format!("{} runs are named", runs.len()),
            format!("Name 1 to {MOST_RUNS} runs as `run=ID`."),
        ));
    }
    let mut series = Vec::new();
    for run in &runs {
        let id = app.meta.run_head(run).await?.id;
        series.extend(self::series(&app, &id, metric.as_deref()).await?);
    }
    Ok(Json(Curves { series }))
}

/// The curves of a run, thinned to what can be seen.
///
/// # Errors
/// What the database says.
pub async fn series(app: &Shared, run: &str, metric: Option<&str>) -> Answer<Vec<Series>> {
    let mut curves: BTreeMap<(String, String), Vec<Point>> = BTreeMap::new();
    for point in app.meta.metrics(run, None).await? {
        if metric.is_none_or(|metric| metric == point.name) {
            curves.entry((point.task, point.name)).or_default().push(Point {
                step: point.step,
                value: Some(point.value).filter(|value| value.is_finite()),
                at: point.at,
            });
        }
    }
    let curve = |((task, name), points): ((String, String), Vec<Point>)| Series {
        run: run.to_owned(),
        task,
        name,
        total: points.len(),
        points: thin(points),
    };
    Ok(curves.into_iter().map(curve).collect())
}

/// Every n-th point, and always the last.
fn thin(points: Vec<Point>) -> Vec<Point> {
    let stride = points.len().div_ceil(MOST_POINTS).max(1);
    let last = points.len().saturating_sub(1);
    let keep = |(place, point): (usize, Point)| (place % stride == 0 || place == last).then_some(point);
    points.into_iter().enumerate().filter_map(keep).collect()
}
