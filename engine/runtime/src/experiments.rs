//! The experiment tracker: what was tried, with what, and what came of it. Plain rows for the command line and the API.
//!
//! An experiment is a task that reported a curve, is a trial of a search, or registered a model.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::{
    ArtifactKind, ArtifactRow, Meta, MetricSeries, RunFilter, RunHead, RunRow, TaskRow, TaskState,
};
use twinloom_spec::{Plan, PlannedInput, PlannedTask};

use crate::{EngineError, OutputSummary, engine::reuse, summary};

/// Runs that one list looks at.
const MOST_RUNS: u64 = 200;

/// Which experiments are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExperimentFilter {
    /// Of this DAG.
    pub dag: Option<String>,
    /// Of this step, such as `training/train`.
    pub step: Option<String>,
    /// Of this operator.
    pub operator: Option<String>,
    /// At most so many; 0 is 50.
    pub limit: usize,
}

/// An experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// Its step.
    pub step: String,
    /// The run's DAG.
    pub dag: String,
    /// The operator.
    pub operator: String,
    /// Where it stands.
    pub state: TaskState,
    /// Why it was cached, skipped or left out.
    pub reason: Option<String>,
    /// When the run was asked for.
    pub created_at: Timestamp,
    /// Seconds of its last attempt.
    pub seconds: Option<f64>,
    /// Parameters of the run.
    pub params: Value,
    /// The task's resolved configuration.
    pub config: Value,
    /// What a matrix or a search gave it.
    pub variant: Map<String, Value>,
    /// Summary figures.
    pub metrics: Map<String, Value>,
    /// Curves that it reported.
    pub series: Vec<MetricSeries>,
    /// Exact versions that it read, by port.
    pub inputs: Vec<InputSummary>,
    /// What it published.
    pub outputs: Vec<OutputSummary>,
    /// Revision of the project's code, where known.
    pub code_revision: Option<String>,
}

/// A version that flowed into a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputSummary {
    /// The input port.
    pub port: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
}

/// Experiments side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What is compared, in this order.
    pub experiments: Vec<Experiment>,
    /// Everything that they state, by name.
    pub rows: Vec<ComparisonRow>,
}

/// One name with the value of each experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// `param`, `config`, `variant`, `metric`, `input`, `code`.
    pub group: String,
    /// A dotted name: `learning_rate`, `style.tokens`.
    pub name: String,
    /// In the order of the experiments; null where one has none.
    pub values: Vec<Value>,
    /// Whether they are not all equal.
    pub differs: bool,
}

/// A curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// The metric.
    pub name: String,
    /// Step and value, in order. A step that was reported again (by a later attempt) counts once, the last time.
    pub points: Vec<(i64, f64)>,
}

/// Experiments, newest run first.
///
/// # Errors
/// What the database says.
pub async fn list(meta: &Meta, filter: &ExperimentFilter) -> Result<Vec<Experiment>, EngineError> {
    let limit = if filter.limit == 0 { 50 } else { filter.limit };
    let heads = meta
        .runs(&RunFilter {
            dag: filter.dag.clone(),
            limit: MOST_RUNS,
            ..RunFilter::default()
        })
        .await?;
    let mut found = Vec::new();
    for RunHead { id, .. } in heads {
        let of_run = of_run(meta, &id).await?;
        found.extend(of_run.into_iter().filter(|experiment| {
            filter.step.as_ref().is_none_or(|step| experiment.step == *step)
                && filter
                    .operator
                    .as_ref()
                    .is_none_or(|operator| experiment.operator == *operator)
        }));
        if found.len() >= limit {
            found.truncate(limit);
            break;
        }
    }
    Ok(found)
}

/// The experiments of a run, in the plan's order.
///
/// # Errors
/// What the database says; `run.bad_plan` where the stored plan cannot be read.
pub async fn of_run(meta: &Meta, run: &str) -> Result<Vec<Experiment>, EngineError> {
    let row = meta.run(run).await?;
    let plan: Plan = serde_json::from_value(row.plan.clone()).map_err(|error| EngineError::BadPlan {
        dag: row.dag.clone(),
        reason: error.to_string(),
    })?;
    let tasks = meta.tasks(&row.id).await?;
    let mut made: HashMap<String, Vec<ArtifactRow>> = HashMap::new();
    for artifact in meta.artifacts(&row.id).await? {
        made.entry(artifact.task.clone()).or_default().push(artifact);
    }
    let mut series: HashMap<String, Vec<MetricSeries>> = HashMap::new();
    for one in meta.metric_series(&row.id).await? {
        series.entry(one.task.clone()).or_default().push(one);
    }
    let planned: HashMap<&str, &PlannedTask> =
        plan.tasks.iter().map(|task| (task.id.as_str(), task)).collect();
    let mut experiments = Vec::new();
    for task in &tasks {
        let Some(planned) = planned.get(task.id.as_str()) else {
            continue;
        };
        let curves = series.remove(&task.id).unwrap_or_default();
        let outputs = made.get(&task.id).map_or(&[][..], Vec::as_slice);
        let tracked = curves.iter().any(|one| one.last_step.is_some())
            || planned.trial.is_some()
            || outputs.iter().any(|output| output.kind == ArtifactKind::Model);
        if tracked {
            let inputs = inputs(planned, &tasks, &made);
            experiments.push(experiment(&row, task, planned, curves, inputs, outputs));
        }
    }
    Ok(experiments)
}

/// Puts experiments side by side.
#[must_use]
pub fn compare(experiments: Vec<Experiment>) -> Comparison {
    let mut table: BTreeMap<(u8, String), Vec<Value>> = BTreeMap::new();
    let count = experiments.len();
    for (place, experiment) in experiments.iter().enumerate() {
        let mut put = |group: u8, name: String, value: Value| {
            let row = table
                .entry((group, name))
                .or_insert_with(|| vec![Value::Null; count]);
            if let Some(cell) = row.get_mut(place) {
                *cell = value;
            }
        };
        flatten("", &experiment.params, &mut |name, value| put(0, name, value));
        flatten(
            "",
            &Value::Object(experiment.variant.clone()),
            &mut |name, value| put(1, name, value),
        );
        flatten("", &experiment.config, &mut |name, value| put(2, name, value));
        for input in &experiment.inputs {
            put(
                3,
                input.port.clone(),
                format!("{}@{}", input.name, input.version).into(),
            );
        }
        if let Some(revision) = &experiment.code_revision {
            put(4, "revision".to_owned(), revision.as_str().into());
        }
        flatten(
            "",
            &Value::Object(experiment.metrics.clone()),
            &mut |name, value| put(5, name, value),
        );
    }
    let groups = ["param", "variant", "config", "input", "code", "metric"];
    let rows = table.into_iter().map(|((group, name), values)| ComparisonRow {
        group: groups
            .get(usize::from(group))
            .copied()
            .unwrap_or_default()
            .to_owned(),
        name,
        differs: values.iter().any(|value| Some(value) != values.first()),
        values,
    });
    Comparison {
        rows: rows.collect(),
        experiments,
    }
}

/// Curves of a run, or of one of its tasks; of one metric where one is named.
///
/// # Errors
/// What the database says.
pub async fn curves(
    meta: &Meta,
    run: &str,
    task: Option<&str>,
    metric: Option<&str>,
) -> Result<Vec<Curve>, EngineError> {
    let mut found: Vec<Curve> = Vec::new();
    let mut places: HashMap<(String, String), usize> = HashMap::new();
    for point in meta.metrics(run, task).await? {
        let Some(step) = point
            .step
            .filter(|_| metric.is_none_or(|metric| metric == point.name))
        else {
            continue;
        };
        let place = *places
            .entry((point.task.clone(), point.name.clone()))
            .or_insert_with(|| {
                found.push(Curve {
                    run: point.run.clone(),
                    task: point.task.clone(),
                    name: point.name.clone(),
                    points: Vec::new(),
                });
                found.len() - 1
            });
        if let Some(curve) = found.get_mut(place) {
            curve.points.push((step, point.value));
        }
    }
    for curve in &mut found {
        // Stable: of one step the last report stays last.
        curve.points.sort_by_key(|(step, _)| *step);
        curve.points.reverse();
        curve.points.dedup_by_key(|(step, _)| *step);
        curve.points.reverse();
    }
    Ok(found)
}

fn experiment(
    run: &RunRow,
    task: &TaskRow,
    planned: &PlannedTask,
    series: Vec<MetricSeries>,
    inputs: Vec<InputSummary>,
    outputs: &[ArtifactRow],
) -> Experiment {
    let took = |(from, to): (Timestamp, Timestamp)| to.duration_since(from).as_secs_f64();
    Experiment {
        run: run.id.clone(),
        task: task.id.clone(),
        step: task.step.clone(),
        dag: run.dag.clone(),
        operator: task.operator.clone(),
        state: task.state,
        reason: task.reason.clone(),
        created_at: run.created_at,
        seconds: task.started_at.zip(task.ended_at).map(took),
        params: run.params.clone(),
        config: task.config.clone().unwrap_or_else(|| planned.config.clone()),
        variant: planned.variant.clone(),
        metrics: summary::metrics(task),
        series,
        inputs,
        outputs: outputs.iter().map(summary::output).collect(),
        code_revision: run
            .trigger
            .get("code_revision")
            .and_then(Value::as_str)
            .map(str::to_owned),
    }
}

/// What flowed into a task, as far as it was made.
fn inputs(
    planned: &PlannedTask,
    rows: &[TaskRow],
    made: &HashMap<String, Vec<ArtifactRow>>,
) -> Vec<InputSummary> {
    let mut found = Vec::new();
    let of = |task: &str, output: &str| -> Option<(String, u64)> {
        let artifact = made.get(task)?.iter().find(|artifact| artifact.port == output)?;
        Some((artifact.name.clone(), artifact.version))
    };
    for (port, input) in &planned.inputs {
        let versions: Vec<(String, u64)> = match input {
            PlannedInput::Task { task, port } => of(task, port).into_iter().collect(),
            PlannedInput::Gather { tasks, port } => tasks.iter().filter_map(|task| of(task, port)).collect(),
            PlannedInput::Select {
                variants,
                port,
                metric,
                goal,
            } => reuse::best_variant(rows, variants, metric, *goal)
                .and_then(|task| of(task, port))
                .into_iter()
                .collect(),
            PlannedInput::Dataset { reference } | PlannedInput::Model { reference } => reference
                .split_once('@')
                .and_then(|(name, version)| Some((name.to_owned(), version.parse().ok()?)))
                .into_iter()
                .collect(),
        };
        found.extend(versions.into_iter().map(|(name, version)| InputSummary {
            port: port.clone(),
            name,
            version,
        }));
    }
    found
}

fn flatten(prefix: &str, value: &Value, put: &mut dyn FnMut(String, Value)) {
    match value {
        Value::Object(map) if !map.is_empty() || prefix.is_empty() => {
            for (key, value) in map {
                let name = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                flatten(&name, value, put);
            }
        }
        Value::Null if prefix.is_empty() => {}
        other => put(prefix.to_owned(), other.clone()),
    }
}
