//! Plain rows as cells.

use super::cells::Cells;
use crate::{
    AliasIndexRow, ApprovalRow, ArtifactRow, AttemptClose, AttemptProcess, AttemptRow, AuditRow, CacheRow,
    DagStateRow, DatasetIndexRow, DecisionRow, MetricPoint, ModelIndexRow, NewEvent, RunRow, RunUpdate,
    TaskRow, TaskUpdate, TriggerDecisionRow, TriggerRow,
};

pub fn run(row: &RunRow) -> Cells {
    Cells::default()
        .text("id", &row.id)
        .text("dag", &row.dag)
        .json("params", &row.params)
        .text("state", row.state.as_str())
        .json("trigger", &row.trigger)
        .time("created_at", row.created_at)
        .time_opt("started_at", row.started_at)
        .time_opt("ended_at", row.ended_at)
        .text_opt("owner", row.owner.as_deref())
        .int("epoch", row.epoch)
        .time_opt("lease_until", row.lease_until)
        .json_opt("error", row.error.as_ref())
}

pub fn run_document(row: &RunRow) -> Cells {
    Cells::default()
        .text("run", &row.id)
        .json("plan", &row.plan)
        .text("dag_text", &row.dag_text)
}

pub fn run_update(update: &RunUpdate) -> Cells {
    let cells = Cells::default()
        .text("id", &update.id)
        .time_field("started_at", &update.started_at)
        .time_field("ended_at", &update.ended_at)
        .json_field("error", &update.error);
    match update.state {
        Some(state) => cells.text("state", state.as_str()),
        None => cells,
    }
}

pub fn task(row: &TaskRow) -> Cells {
    Cells::default()
        .text("run", &row.run)
        .text("id", &row.id)
        .int("position", row.position.into())
        .text("step", &row.step)
        .text("operator", &row.operator)
        .text("state", row.state.as_str())
        .int("attempt", row.attempt.into())
        .json_opt("config", row.config.as_ref())
        .text_opt("cache_key", row.cache_key.as_deref())
        .json_opt("metrics", row.metrics.as_ref())
        .json_opt("error", row.error.as_ref())
        .text_opt("reason", row.reason.as_deref())
        .time_opt("queued_at", row.queued_at)
        .time_opt("started_at", row.started_at)
        .time_opt("ended_at", row.ended_at)
        .time_opt("next_attempt_at", row.next_attempt_at)
}

pub fn task_update(update: &TaskUpdate) -> Cells {
    let mut cells = Cells::default().text("run", &update.run).text("id", &update.id);
    if let Some(state) = update.state {
        cells = cells.text("state", state.as_str());
    }
    if let Some(attempt) = update.attempt {
        cells = cells.int("attempt", attempt.into());
    }
    cells
        .json_field("config", &update.config)
        .text_field("cache_key", &update.cache_key)
        .json_field("metrics", &update.metrics)
        .json_field("error", &update.error)
        .text_field("reason", &update.reason)
        .time_field("queued_at", &update.queued_at)
        .time_field("started_at", &update.started_at)
        .time_field("ended_at", &update.ended_at)
        .time_field("next_attempt_at", &update.next_attempt_at)
}

pub fn attempt(row: &AttemptRow) -> Cells {
    Cells::default()
        .text("run", &row.run)
        .text("task", &row.task)
        .int("attempt", row.attempt.into())
        .int_opt("pid", row.pid)
        .int_opt("pgid", row.pgid)
        .text_opt("process", row.process.as_deref())
        .time("started_at", row.started_at)
        .time_opt("ended_at", row.ended_at)
        .text_opt("outcome", row.outcome.as_deref())
        .json_opt("error", row.error.as_ref())
}

pub fn attempt_process(row: &AttemptProcess) -> Cells {
    Cells::default()
        .text("run", &row.run)
        .text("task", &row.task)
        .int("attempt", row.attempt.into())
        .int("pid", row.pid)
        .int("pgid", row.pgid)
        .text_opt("process", row.process.as_deref())
}

pub fn attempt_close(row: &AttemptClose) -> Cells {
    Cells::default()
        .text("run", &row.run)
        .text("task", &row.task)
        .int("attempt", row.attempt.into())
        .time("ended_at", row.ended_at)
        .text("outcome", &row.outcome)
        .json_opt("error", row.error.as_ref())
}

pub fn artifact(row: &ArtifactRow) -> Cells {
    Cells::default()
        .text("run", &row.run)
        .text("task", &row.task)
        .text("port", &row.port)
        .text("kind", row.kind.as_str())
        .text("name", &row.name)
        .count("version", row.version)
        .text("hash", &row.hash)
        .text("outcome", &row.outcome)
        .count_opt("rows", row.rows)
}

pub fn event(event: &NewEvent) -> Cells {
    Cells::default()
        .text("kind", &event.kind)
        .text("subject", &event.subject)
        .json("payload", &event.payload)
        .time("at", event.at)
}

pub fn approval(row: &ApprovalRow) -> Cells {
    Cells::default()
        .text("run", &row.run)
        .text("task", &row.task)
        .json("request", &row.request)
        .time("opened_at", row.opened_at)
        .time_opt("expires_at", row.expires_at)
        .time_opt("closed_at", row.closed_at)
        .text_opt("outcome", row.outcome.as_deref())
        .int("given", row.given.into())
}

pub fn decision(row: &DecisionRow) -> Cells {
    Cells::default()
        .text("run", &row.run)
        .text("task", &row.task)
        .bool("approved", row.approved)
        .text("by", &row.by)
        .time("at", row.at)
        .text_opt("comment", row.comment.as_deref())
        .json("evidence", &row.evidence)
}

pub fn metric(point: &MetricPoint) -> Cells {
    Cells::default()
        .text("run", &point.run)
        .text("task", &point.task)
        .text("name", &point.name)
        .int_opt("step", point.step)
        .real("value", point.value)
        .time("at", point.at)
}

pub fn cache(row: &CacheRow) -> Cells {
    Cells::default()
        .text("key", &row.key)
        .json("outputs", &row.outputs)
        .json("metrics", &row.metrics)
        .text("run", &row.run)
        .text("task", &row.task)
        .time("at", row.at)
}

pub fn dataset(row: &DatasetIndexRow) -> Cells {
    Cells::default()
        .text("name", &row.name)
        .count("version", row.version)
        .text("hash", &row.hash)
        .count_opt("parent", row.parent)
        .count("rows", row.rows)
        .count("bytes", row.bytes)
        .json_opt("changes", row.changes.as_ref())
        .text_opt("run", row.run.as_deref())
        .text_opt("task", row.task.as_deref())
        .time("created_at", row.created_at)
}

pub fn model(row: &ModelIndexRow) -> Cells {
    Cells::default()
        .text("name", &row.name)
        .count("version", row.version)
        .text("hash", &row.hash)
        .text_opt("base", row.base.as_deref())
        .json("metrics", &row.metrics)
        .text_opt("run", row.run.as_deref())
        .text_opt("task", row.task.as_deref())
        .time("created_at", row.created_at)
}

pub fn alias(row: &AliasIndexRow) -> Cells {
    Cells::default()
        .text("kind", row.kind.as_str())
        .text("name", &row.name)
        .text("alias", &row.alias)
        .count("version", row.version)
        .count_opt("previous", row.previous)
        .text("by", &row.by)
        .text("reason", &row.reason)
        .time("moved_at", row.moved_at)
}

pub fn audit(row: &AuditRow) -> Cells {
    Cells::default()
        .time("at", row.at)
        .text("by", &row.by)
        .text("action", &row.action)
        .text("subject", &row.subject)
        .json("detail", &row.detail)
}

pub fn trigger(row: &TriggerRow) -> Cells {
    Cells::default()
        .text("dag", &row.dag)
        .text("id", &row.id)
        .text("kind", &row.kind)
        .json("definition", &row.definition)
        .int("rev", row.rev)
        .int("cursor", row.cursor)
        .json("state", &row.state)
        .time("registered_at", row.registered_at)
        .time_opt("due_at", row.due_at)
        .time_opt("last_fired_at", row.last_fired_at)
        .text_opt("last_run", row.last_run.as_deref())
}

pub fn trigger_decision(row: &TriggerDecisionRow) -> Cells {
    Cells::default()
        .text("dag", &row.dag)
        .text("trigger", &row.trigger)
        .text("cause", &row.cause)
        .int_opt("event", row.event)
        .time("at", row.at)
        .bool("fired", row.fired)
        .text_opt("run", row.run.as_deref())
        .text("reason", &row.reason)
}

pub fn dag_state(row: &DagStateRow) -> Cells {
    Cells::default()
        .text("dag", &row.dag)
        .bool("paused", row.paused)
        .text("by", &row.by)
        .time("at", row.at)
}
