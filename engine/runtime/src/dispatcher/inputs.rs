//! What flows into a task, once the tasks that it needs have ended.

use indexmap::IndexMap;
use serde_json::{Map, Value};
use twinloom_meta::TaskState;
use twinloom_sdk::{ArtifactId, OperatorError};
use twinloom_spec::{Goal, PlannedInput, Variant};

use super::run::{Run, Task};
use crate::{prepare::artifact_id, scope, summary};

/// Whether a task may go on, by how the tasks ended that it needs.
pub enum Flow {
    /// It may, with these inputs.
    Go(IndexMap<String, Vec<ArtifactId>>),
    /// Something that it needs did not end well.
    Broken(String),
    /// Data that it needs will not come, because the task that makes it was skipped.
    Dry(String),
    /// What it needs ended well and is not there.
    Failed(OperatorError),
}

/// Looks at the tasks that `index` needs; all have ended.
pub fn flow(run: &Run, index: usize, optional: impl Fn(&str) -> bool) -> Flow {
    for need in run.graph.needs(index) {
        let row = &run.tasks[*need].row;
        match row.state {
            TaskState::Failed => return Flow::Broken(format!("not run because `{}` failed", row.id)),
            TaskState::Cancelled => {
                return Flow::Broken(format!("not run because `{}` was cancelled", row.id));
            }
            TaskState::UpstreamFailed => {
                // The reason of the reason: what failed in the first place is what people look for.
                return Flow::Broken(
                    row.reason
                        .clone()
                        .unwrap_or_else(|| format!("not run because of `{}`", row.id)),
                );
            }
            _ => {}
        }
    }
    let mut inputs = IndexMap::new();
    for (port, input) in &run.plan.tasks[index].inputs {
        let found = match input {
            PlannedInput::Task { task, port: output } => one(run, task, output),
            PlannedInput::Gather { tasks, port: output } => gather(run, tasks, output),
            PlannedInput::Select {
                variants,
                port: output,
                metric,
                goal,
            } => select(run, variants, metric, *goal).and_then(|variant| one(run, &variant.task, output)),
            PlannedInput::Dataset { .. } | PlannedInput::Model { .. } => continue,
        };
        match found {
            Ok(artifacts) => drop(inputs.insert(port.clone(), artifacts)),
            // What a port can do without does not hold a task up.
            Err(Absent::Skipped(_) | Absent::NotMade(_)) if optional(port) => {}
            Err(Absent::Skipped(task)) => return Flow::Dry(format!("skipped because `{task}` was skipped")),
            Err(Absent::NotMade(error) | Absent::NoChoice(error)) => return Flow::Failed(error),
        }
    }
    Flow::Go(inputs)
}

/// The variant of a matrix with the best metric, among those that were not skipped.
fn select<'a>(run: &Run, variants: &'a [Variant], metric: &str, goal: Goal) -> Result<&'a Variant, Absent> {
    let mut best: Option<(&Variant, f64)> = None;
    let mut seen = None;
    let mut skipped = None;
    for variant in variants {
        let (Some(task), Some(judged)) = (find(run, &variant.task), find(run, &variant.metric_task)) else {
            continue;
        };
        if !task.row.state.succeeded() || !judged.row.state.succeeded() {
            skipped = Some(&variant.task);
            continue;
        }
        let metrics = summary::metrics(&judged.row);
        let value = metrics
            .get(metric)
            .and_then(Value::as_f64)
            .filter(|value| value.is_finite());
        seen = Some(metrics);
        let Some(value) = value else { continue };
        let better = best.is_none_or(|(_, top)| match goal {
            Goal::Minimize => value < top,
            Goal::Maximize => value > top,
        });
        if better {
            best = Some((variant, value));
        }
    }
    match (best, seen, skipped) {
        (Some((variant, _)), ..) => Ok(variant),
        (None, None, Some(task)) => Err(Absent::Skipped(task.clone())),
        (None, seen, _) => {
            let known: Vec<String> = seen.unwrap_or_default().keys().cloned().collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            Err(Absent::NoChoice(OperatorError::config(
                "select.no_metric",
                format!(
                    "no variant reported the metric `{metric}` to select by; the last one reported {known}"
                ),
                "Name a metric that every variant reports, below `select:`.",
            )))
        }
    }
}

/// The chosen variant of every matrix that flows into a task, by step.
pub fn chosen(run: &Run, index: usize) -> Vec<&Task> {
    let inputs = run.plan.tasks[index].inputs.values();
    let choice = |input: &PlannedInput| match input {
        PlannedInput::Select {
            variants,
            metric,
            goal,
            ..
        } => {
            let variant = select(run, variants, metric, *goal).ok()?;
            Some([variant.task.clone(), variant.metric_task.clone()])
        }
        _ => None,
    };
    inputs
        .filter_map(choice)
        .flatten()
        .filter_map(|task| find(run, &task))
        .collect()
}

/// What templates of a task see as `steps`: every task upstream by id and by step. A step with several variants shows
/// the one that flows in, else the last.
pub fn steps(run: &Run, index: usize) -> Map<String, Value> {
    let upstream = run.graph.upstream(index);
    let tasks = upstream
        .into_iter()
        .filter_map(|place| run.tasks.get(place))
        .chain(chosen(run, index));
    let mut steps = Map::new();
    for task in tasks {
        let seen = scope::of_step(&task.row, &task.outputs);
        if task.row.id != task.row.step {
            steps.insert(task.row.id.clone(), seen.clone());
        }
        steps.insert(task.row.step.clone(), seen);
    }
    steps
}

/// Figures of the tasks that a task needs directly, by id and by step, as [`steps`].
pub fn upstream_metrics(run: &Run, index: usize) -> std::collections::BTreeMap<String, Map<String, Value>> {
    let needs = run
        .graph
        .needs(index)
        .iter()
        .filter_map(|need| run.tasks.get(*need));
    let mut all = std::collections::BTreeMap::new();
    for task in needs.chain(chosen(run, index)) {
        let metrics = summary::metrics(&task.row);
        if task.row.id != task.row.step {
            all.insert(task.row.id.clone(), metrics.clone());
        }
        all.insert(task.row.step.clone(), metrics);
    }
    all
}

enum Absent {
    Skipped(String),
    NotMade(OperatorError),
    NoChoice(OperatorError),
}

fn one(run: &Run, task: &str, port: &str) -> Result<Vec<ArtifactId>, Absent> {
    let Some(made) = find(run, task) else {
        return Err(not_made(task, port));
    };
    if made.row.state == TaskState::Skipped {
        return Err(Absent::Skipped(task.to_owned()));
    }
    let artifact = made
        .outputs
        .iter()
        .find(|output| output.port == port)
        .and_then(artifact_id);
    artifact
        .map(|artifact| vec![artifact])
        .ok_or_else(|| not_made(task, port))
}

fn gather(run: &Run, tasks: &[String], port: &str) -> Result<Vec<ArtifactId>, Absent> {
    let mut all = Vec::with_capacity(tasks.len());
    let mut skipped = None;
    for task in tasks {
        match one(run, task, port) {
            Ok(artifacts) => all.extend(artifacts),
            Err(Absent::Skipped(task)) => skipped = Some(task),
            Err(other) => return Err(other),
        }
    }
    match skipped {
        Some(task) if all.is_empty() => Err(Absent::Skipped(task)),
        _ => Ok(all),
    }
}

fn find<'a>(run: &'a Run, task: &str) -> Option<&'a Task> {
    run.tasks.get(run.index_of(task)?)
}

fn not_made(task: &str, port: &str) -> Absent {
    Absent::NotMade(OperatorError::bug(
        "input.not_made",
        format!("`{task}` ended well without its output `{port}`"),
    ))
}
