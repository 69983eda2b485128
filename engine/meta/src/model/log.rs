//! The event log and the audit log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Kinds of events.
pub mod event {
    /// A dataset version was published; subject `name@version`.
    pub const DATASET_PUBLISHED: &str = "dataset.published";
    /// A model version was registered; subject `name@version`.
    pub const MODEL_REGISTERED: &str = "model.registered";
    /// An alias or tag was moved; subject `name@alias`.
    pub const ALIAS_MOVED: &str = "alias.moved";
    /// A run started; subject its id.
    pub const RUN_STARTED: &str = "run.started";
    /// A run ended; subject its id.
    pub const RUN_ENDED: &str = "run.ended";
    /// A task asks for a decision; subject `run/task`.
    pub const APPROVAL_OPENED: &str = "approval.opened";
    /// A person decided; subject `run/task`.
    pub const APPROVAL_DECIDED: &str = "approval.decided";
    /// One of several approvals was given; subject `run/task`.
    pub const APPROVAL_GIVEN: &str = "approval.given";
    /// A trigger started a run; subject the DAG.
    pub const TRIGGER_FIRED: &str = "trigger.fired";
    /// A trigger should have started a run and could not; subject the DAG.
    pub const TRIGGER_FAILED: &str = "trigger.failed";
    /// A schedule's time came; subject the DAG.
    pub const SCHEDULE_TICK: &str = "schedule.tick";
    /// A signed request came in; subject the DAG.
    pub const WEBHOOK_RECEIVED: &str = "webhook.received";
    /// A queue delivered a message; subject the queue.
    pub const QUEUE_MESSAGE: &str = "queue.message";
    /// A DAG's triggers are held; subject the DAG.
    pub const DAG_PAUSED: &str = "dag.paused";
    /// A DAG's triggers go on; subject the DAG.
    pub const DAG_RESUMED: &str = "dag.resumed";
    /// A dataset is older than it may be; subject the dataset.
    pub const FRESHNESS_MISSED: &str = "freshness.missed";
}

/// An event to be written with its cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    /// One of [`event`].
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The rest.
    pub payload: Value,
    /// When.
    pub at: Timestamp,
}

/// An event in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its place: ids grow in the order in which events become visible, so a cursor misses none.
    pub id: i64,
    /// One of [`event`].
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The rest.
    pub payload: Value,
    /// When.
    pub at: Timestamp,
}

/// Who did what, for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// `approve`, `reject`, `cancel`, `alias.move`.
    pub action: String,
    /// On what.
    pub subject: String,
    /// With what.
    pub detail: Value,
}

/// What has served its time: everything from before these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Before {
    /// Keys of webhooks and messages that were seen.
    pub seen: Timestamp,
    /// Decisions of triggers.
    pub decisions: Timestamp,
    /// Answers kept for repeated requests.
    pub answers: Timestamp,
    /// Rows of the audit log.
    pub audit: Timestamp,
}
