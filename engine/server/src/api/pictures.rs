//! What is drawn: graphs of DAGs and runs, and the grid of runs by tasks.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twinloom_meta::{RunFilter, TaskRow};
use twinloom_spec::{Plan, PlannedInput, PlannedTask};
use utoipa::{IntoParams, ToSchema};

use super::{
    runs::RunItem,
    words::{ArtifactKind, TaskState},
};
use crate::{
    http::{
        extract::{Json, Path, Query},
        page,
        problem::Answer,
    },
    state::Shared,
};

/// A graph, left to right.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GraphPicture {
    /// Tasks, and datasets and models from outside; in topological order.
    pub nodes: Vec<GraphNode>,
    /// What flows, and order without data.
    pub edges: Vec<GraphEdge>,
    /// Pipelines, which fold.
    pub groups: Vec<GraphGroup>,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A task.
    Task,
    /// A dataset from outside.
    Dataset,
    /// A model from outside.
    Model,
}

/// A node.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GraphNode {
    /// The task's id, or `dataset:name@version`.
    pub id: String,
    /// What it is.
    pub kind: NodeKind,
    /// What to write on it: the step's own name with its variant.
    pub label: String,
    /// The step.
    pub step: String,
    /// The operator; none for an artifact.
    pub operator: Option<String>,
    /// The group that it is in.
    pub group: Option<String>,
    /// The pool.
    pub pool: Option<String>,
    /// Where it stands, in a run.
    pub state: Option<TaskState>,
    /// When it could have started, in a run.
    pub queued_at: Option<Timestamp>,
    /// When it started, in a run.
    pub started_at: Option<Timestamp>,
    /// When it ended, in a run.
    pub ended_at: Option<Timestamp>,
    /// Datasets and models that it publishes.
    pub publishes: Vec<String>,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct GraphEdge {
    /// From this node.
    pub from: String,
    /// To this node.
    pub to: String,
    /// The input port; none where it is order alone.
    pub port: Option<String>,
    /// The dataset or model that flows.
    pub artifact: Option<String>,
    /// Dataset or model, where known.
    pub kind: Option<ArtifactKind>,
    /// Its rows, once it is published in a run.
    pub rows: Option<u64>,
}

/// A pipeline, as a group of tasks.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GraphGroup {
    /// The path of steps: `release/checks`.
    pub id: String,
    /// Its last part.
    pub label: String,
    /// The group around it.
    pub parent: Option<String>,
}

/// The graph of a DAG with its default parameters.
#[utoipa::path(get, path = "/dags/{dag}/graph", tag = "dags", operation_id = "dag_graph",
    params(("dag" = String, Path)), responses((status = 200, body = GraphPicture)),
    extensions(("x-permission" = json!("read"))))]
pub async fn dag_graph(State(app): State<Shared>, Path(dag): Path<String>) -> Answer<Json<GraphPicture>> {
    let entry = super::dags::entry(&app, &dag)?;
    let params = super::params::examples(entry.dag.as_deref().and_then(|spec| spec.params.as_ref()));
    let (plan, _) = app.service.dags().plan(&dag, &params)?;
    Ok(Json(draw(&plan)))
}

/// The graph of a run with the states of its tasks.
#[utoipa::path(get, path = "/runs/{run}/graph", tag = "runs", operation_id = "run_graph",
    params(("run" = String, Path)), responses((status = 200, body = GraphPicture)),
    extensions(("x-permission" = json!("read"))))]
pub async fn run_graph(State(app): State<Shared>, Path(run): Path<String>) -> Answer<Json<GraphPicture>> {
    let row = app.meta.run(&run).await?;
    let plan = super::tasks::plan_of(&row)?;
    let mut picture = draw(&plan);
    let tasks = app.meta.tasks(&row.id).await?;
    let states: BTreeMap<&str, &TaskRow> = tasks.iter().map(|task| (task.id.as_str(), task)).collect();
    for node in &mut picture.nodes {
        if let Some(task) = states.get(node.id.as_str()) {
            node.state = Some(task.state.into());
            node.queued_at = task.queued_at;
            node.started_at = task.started_at;
            node.ended_at = task.ended_at;
        }
    }
    let artifacts = app.meta.artifacts(&row.id).await?;
    for edge in &mut picture.edges {
        let made = artifacts
            .iter()
            .find(|made| made.task == edge.from && Some(&made.name) == edge.artifact.as_ref());
        if let Some(made) = made {
            edge.rows = made.rows;
            edge.kind = Some(made.kind.into());
        }
    }
    Ok(Json(picture))
}

/// The picture of a plan.
pub fn draw(plan: &Plan) -> GraphPicture {
    let mut nodes = Vec::new();
    let mut edges = BTreeSet::new();
    let mut groups = BTreeSet::new();
    let mut outside = BTreeSet::new();
    let outputs: BTreeMap<&str, &PlannedTask> =
        plan.tasks.iter().map(|task| (task.id.as_str(), task)).collect();
    let publishes =
        |task: &str, port: &str| outputs.get(task).and_then(|task| task.outputs.get(port).cloned());
    for task in &plan.tasks {
        let group = group_of(&task.step);
        let mut around = group.clone();
        while let Some(path) = around {
            around = group_of(&path);
            groups.insert(path);
        }
        let mut fed: BTreeSet<&str> = BTreeSet::new();
        for (port, input) in &task.inputs {
            let sources: Vec<(&str, &str)> = match input {
                PlannedInput::Task { task, port } => vec![(task, port)],
                PlannedInput::Gather { tasks, port } => {
                    tasks.iter().map(|task| (task.as_str(), port.as_str())).collect()
                }
                PlannedInput::Select { variants, port, .. } => variants
                    .iter()
                    .map(|variant| (variant.task.as_str(), port.as_str()))
                    .collect(),
                PlannedInput::Dataset { reference } | PlannedInput::Model { reference } => {
                    let kind = match input {
                        PlannedInput::Model { .. } => NodeKind::Model,
                        _ => NodeKind::Dataset,
                    };
                    let node = artifact_node(kind, reference);
                    edges.insert(GraphEdge {
                        from: node.id.clone(),
                        to: task.id.clone(),
                        port: Some(port.clone()),
                        artifact: Some(reference.clone()),
                        kind: Some(match kind {
                            NodeKind::Model => ArtifactKind::Model,
                            _ => ArtifactKind::Dataset,
                        }),
                        rows: None,
                    });
                    if outside.insert(node.id.clone()) {
                        nodes.push(node);
                    }
                    Vec::new()
                }
            };
            for (from, output) in sources {
                fed.insert(from);
                edges.insert(GraphEdge {
                    from: from.to_owned(),
                    to: task.id.clone(),
                    port: Some(port.clone()),
                    artifact: publishes(from, output),
                    kind: None,
                    rows: None,
                });
            }
        }
        for need in task.needs.iter().filter(|need| !fed.contains(need.as_str())) {
            edges.insert(GraphEdge {
                from: need.clone(),
                to: task.id.clone(),
                port: None,
                artifact: None,
                kind: None,
                rows: None,
            });
        }
        nodes.push(GraphNode {
            id: task.id.clone(),
            kind: NodeKind::Task,
            label: own_name(&task.id, group.as_deref()),
            step: task.step.clone(),
            operator: Some(task.operator.clone()),
            group,
            pool: task.pool.clone(),
            state: None,
            queued_at: None,
            started_at: None,
            ended_at: None,
            publishes: task.outputs.values().cloned().collect(),
        });
    }
    let group = |path: String| GraphGroup {
        label: path.rsplit('/').next().unwrap_or(&path).to_owned(),
        parent: group_of(&path),
        id: path,
    };
    GraphPicture {
        nodes,
        edges: edges.into_iter().collect(),
        groups: groups.into_iter().map(group).collect(),
    }
}

/// The task's id without the path of its group.
fn own_name(task: &str, group: Option<&str>) -> String {
    let own = group.and_then(|group| task.strip_prefix(group)?.strip_prefix('/'));
    own.unwrap_or(task).to_owned()
}

fn group_of(step: &str) -> Option<String> {
    step.rsplit_once('/').map(|(path, _)| path.to_owned())
}

fn artifact_node(kind: NodeKind, reference: &str) -> GraphNode {
    let word = if kind == NodeKind::Model {
        "model"
    } else {
        "dataset"
    };
    GraphNode {
        id: format!("{word}:{reference}"),
        kind,
        label: reference.to_owned(),
        step: String::new(),
        operator: None,
        group: None,
        pool: None,
        state: None,
        queued_at: None,
        started_at: None,
        ended_at: None,
        publishes: Vec::new(),
    }
}

/// Runs by tasks.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Grid {
    /// The runs, newest first: the columns.
    pub runs: Vec<RunItem>,
    /// The tasks of any of them, in the order of the newest run's plan: the rows.
    pub tasks: Vec<GridTask>,
    /// The cells that there are.
    pub cells: Vec<GridCell>,
    /// What to pass as `before` for older runs.
    pub next_before: Option<String>,
}

/// A row of the grid.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GridTask {
    /// The task.
    pub id: String,
    /// Its step.
    pub step: String,
    /// Its operator.
    pub operator: String,
}

/// A task in a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GridCell {
    /// Place in `runs`.
    pub run: usize,
    /// Place in `tasks`.
    pub task: usize,
    /// Where it stands.
    pub state: TaskState,
    /// How often it was started.
    pub attempts: u32,
    /// When it could have started.
    pub queued_at: Option<Timestamp>,
    /// When its last attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Which part of the grid.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GridQuery {
    /// Runs; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// Runs before this one.
    pub before: Option<String>,
}

/// The grid of a DAG's runs by tasks.
#[utoipa::path(get, path = "/dags/{dag}/grid", tag = "dags", operation_id = "dag_grid",
    params(("dag" = String, Path), GridQuery), responses((status = 200, body = Grid)),
    extensions(("x-permission" = json!("read"))))]
pub async fn dag_grid(
    State(app): State<Shared>,
    Path(dag): Path<String>,
    Query(query): Query<GridQuery>,
) -> Answer<Json<Grid>> {
    let limit = page::usual(query.limit)?;
    let filter = RunFilter {
        dag: Some(dag),
        before: query.before,
        limit: limit + 1,
        ..RunFilter::default()
    };
    let mut runs = app.meta.runs(&filter).await.map_err(super::runs::cursor_error)?;
    let more = runs.len() as u64 > limit;
    runs.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let ids: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
    let place: BTreeMap<&str, usize> = ids
        .iter()
        .enumerate()
        .map(|(place, id)| (id.as_str(), place))
        .collect();
    let mut rows = app.meta.task_cells(&ids).await?;
    rows.sort_by_key(|row| (place.get(row.run.as_str()).copied(), row.position));
    let mut tasks: Vec<GridTask> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut cells = Vec::with_capacity(rows.len());
    for row in rows {
        let task = *known.entry(row.id.clone()).or_insert_with(|| {
            tasks.push(GridTask {
                id: row.id.clone(),
                step: row.step.clone(),
                operator: row.operator.clone(),
            });
            tasks.len() - 1
        });
        cells.push(GridCell {
            run: place.get(row.run.as_str()).copied().unwrap_or_default(),
            task,
            state: row.state.into(),
            attempts: row.attempt,
            queued_at: row.queued_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
        });
    }
    Ok(Json(Grid {
        next_before: ids.last().filter(|_| more).cloned(),
        runs: runs.iter().map(RunItem::from).collect(),
        tasks,
        cells,
    }))
}
