//! Puts a run's summary together, from memory or from the database.

use std::collections::HashMap;

use serde_json::{Map, Value};
use twinloom_meta::{ArtifactRow, Meta, RunHead, RunRow, TaskRow};

use crate::{EngineError, OutputSummary, RunSummary, TaskSummary};

/// A run as the database has it.
pub async fn load(meta: &Meta, run: &RunRow) -> Result<RunSummary, EngineError> {
    let tasks = meta.tasks(&run.id).await?;
    let mut outputs: HashMap<String, Vec<OutputSummary>> = HashMap::new();
    for row in meta.artifacts(&run.id).await? {
        outputs.entry(row.task.clone()).or_default().push(output(&row));
    }
    let mut questions: HashMap<String, Value> = meta
        .open_approvals(Some(&run.id))
        .await?
        .into_iter()
        .map(|row| (row.task, row.request))
        .collect();
    let mut summary = head(&run.head());
    for row in &tasks {
        let outputs = outputs.remove(&row.id).unwrap_or_default();
        summary.tasks.push(task(row, outputs, questions.remove(&row.id)));
    }
    Ok(summary)
}

/// A run without its tasks.
pub fn head(run: &RunHead) -> RunSummary {
    RunSummary {
        id: run.id.clone(),
        dag: run.dag.clone(),
        state: run.state,
        trigger: run.trigger.clone(),
        created_at: run.created_at,
        started_at: run.started_at,
        ended_at: run.ended_at,
        error: run.error.clone(),
        tasks: Vec::new(),
    }
}

/// A task with its outputs and the question that it waits on.
pub fn task(row: &TaskRow, outputs: Vec<OutputSummary>, approval: Option<Value>) -> TaskSummary {
    TaskSummary {
        id: row.id.clone(),
        step: row.step.clone(),
        operator: row.operator.clone(),
        state: row.state,
        reason: row.reason.clone(),
        attempts: row.attempt,
        queued_at: row.queued_at,
        started_at: row.started_at,
        ended_at: row.ended_at,
        metrics: metrics(row),
        outputs,
        error: row.error.clone(),
        approval,
    }
}

/// An artifact.
pub fn output(row: &ArtifactRow) -> OutputSummary {
    OutputSummary {
        port: row.port.clone(),
        kind: row.kind,
        name: row.name.clone(),
        version: row.version,
        hash: row.hash.clone(),
        outcome: row.outcome.clone(),
        rows: row.rows,
    }
}

/// A task's figures.
pub fn metrics(row: &TaskRow) -> Map<String, Value> {
    row.metrics
        .as_ref()
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}
