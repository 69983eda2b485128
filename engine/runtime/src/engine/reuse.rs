//! The best configuration that an earlier run's search has found, in place of the search.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};
use twinloom_meta::{RunFilter, RunState, TaskRow};
use twinloom_spec::{Goal, Plan, PlannedInput, Trial, Variant};

use super::Engine;
use crate::{EngineError, summary};

/// Earlier runs that are looked at.
const RUNS: u64 = 20;

impl Engine {
    /// Leaves a single trial of each search that says `reuse: best`, where an earlier run of the DAG has found that one
    /// to be the best. A search that was changed since, so that it does not draw that configuration any more, is made
    /// again; so is one whose tasks may not be cached.
    ///
    /// # Errors
    /// What the database says.
    pub(super) async fn reuse_best(&self, plan: &mut Plan) -> Result<(), EngineError> {
        let mut open: BTreeMap<String, Vec<Trial>> = BTreeMap::new();
        for task in &plan.tasks {
            if let Some(trial) = task.trial.as_deref().filter(|trial| trial.reuse && task.cache) {
                open.entry(trial.search.clone()).or_default().push(trial.clone());
            }
        }
        if open.is_empty() {
            return Ok(());
        }
        let filter = RunFilter {
            dag: Some(plan.dag.clone()),
            states: vec![RunState::Succeeded],
            limit: RUNS,
            ..RunFilter::default()
        };
        let meta = &self.shared.config.meta;
        for head in meta.runs(&filter).await? {
            if open.is_empty() {
                break;
            }
            let Ok(earlier) = serde_json::from_value::<Plan>(meta.run(&head.id).await?.plan) else {
                continue;
            };
            let rows = meta.tasks(&head.id).await?;
            let found: Vec<(String, Map<String, Value>)> = open
                .keys()
                .filter_map(|search| Some((search.clone(), best(&earlier, &rows, search)?.values.clone())))
                .collect();
            for (search, values) in found {
                let trials = open.remove(&search).unwrap_or_default();
                if let Some(kept) = trials.iter().find(|trial| trial.values == values) {
                    tracing::info!(
                        search,
                        run = head.id,
                        "the best of an earlier run stands in for a search"
                    );
                    keep_only(plan, kept);
                }
            }
        }
        Ok(())
    }
}

/// The best of some variants by what their rows report: the task whose output is taken.
pub(crate) fn best_variant<'a>(
    rows: &[TaskRow],
    variants: &'a [Variant],
    metric: &str,
    goal: Goal,
) -> Option<&'a str> {
    let judged = variants
        .iter()
        .map(|variant| (variant.task.as_str(), variant.metric_task.as_str()));
    best_of(rows, judged, metric, goal)
}

/// Of things with the task that decides on each, the one with the best metric; the first of equal ones.
fn best_of<'a, T>(
    rows: &[TaskRow],
    judged: impl Iterator<Item = (T, &'a str)>,
    metric: &str,
    goal: Goal,
) -> Option<T> {
    let mut best: Option<(T, f64)> = None;
    for (thing, task) in judged {
        let row = rows.iter().find(|row| row.id == task && row.state.succeeded());
        let metrics = row.map(summary::metrics).unwrap_or_default();
        let value = metrics.get(metric).and_then(Value::as_f64);
        let Some(value) = value.filter(|value| value.is_finite()) else {
            continue;
        };
        let better = best.as_ref().is_none_or(|(_, top)| match goal {
            Goal::Minimize => value < *top,
            Goal::Maximize => value > *top,
        });
        if better {
            best = Some((thing, value));
        }
    }
    best.map(|(thing, _)| thing)
}

/// The best trial of a run.
fn best<'a>(plan: &'a Plan, rows: &[TaskRow], search: &str) -> Option<&'a Trial> {
    let mut trials = plan
        .tasks
        .iter()
        .filter_map(|task| Some((task.trial.as_deref()?, task.id.as_str())))
        .filter(|(trial, id)| trial.search == search && trial.metric_task == *id)
        .peekable();
    let (first, _) = *trials.peek()?;
    best_of(rows, trials, &first.metric, first.goal)
}

/// Takes the tasks of all other trials out of the plan, and what refers to them.
fn keep_only(plan: &mut Plan, kept: &Trial) {
    let mut gone = HashSet::new();
    plan.tasks.retain_mut(|task| {
        let Some(trial) = task
            .trial
            .as_deref_mut()
            .filter(|trial| trial.search == kept.search)
        else {
            return true;
        };
        let stays = (trial.number, trial.rung) == (kept.number, kept.rung);
        if stays {
            trial.of = 1;
        } else {
            gone.insert(task.id.clone());
        }
        stays
    });
    for task in &mut plan.tasks {
        task.needs.retain(|need| !gone.contains(need));
        for input in task.inputs.values_mut() {
            match input {
                PlannedInput::Select { variants, .. } => {
                    variants.retain(|variant| {
                        !gone.contains(&variant.task) && !gone.contains(&variant.metric_task)
                    });
                }
                PlannedInput::Gather { tasks, .. } => tasks.retain(|task| !gone.contains(task)),
                PlannedInput::Task { .. } | PlannedInput::Dataset { .. } | PlannedInput::Model { .. } => {}
            }
        }
    }
}
