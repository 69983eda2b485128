//! Triggers: cursors on the log of events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A trigger of a DAG and how far it has read the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerRow {
    /// The DAG.
    pub dag: String,
    /// Unique in the DAG; changes with the condition.
    pub id: String,
    /// `schedule`, `datasets`, `models`, `runs`, `webhook`, `queue`, `freshness`.
    pub kind: String,
    /// The condition, as JSON.
    pub definition: Value,
    /// Counts the changes of this row: whoever changes it names the one that it has read.
    pub rev: i64,
    /// The last event that it has taken in.
    pub cursor: i64,
    /// What it holds: events that wait for others, the last schedule time.
    pub state: Value,
    /// When it was first seen; earlier events do not concern it.
    pub registered_at: Timestamp,
    /// When it has something to do by itself.
    pub due_at: Option<Timestamp>,
    /// When it last fired.
    pub last_fired_at: Option<Timestamp>,
    /// The run that it started last.
    pub last_run: Option<String>,
}

/// A trigger moves on.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerAdvance {
    /// The DAG.
    pub dag: String,
    /// The trigger.
    pub id: String,
    /// The revision that was read; another one fails the transaction.
    pub rev: i64,
    /// The last event that it has taken in.
    pub cursor: i64,
    /// What it holds now.
    pub state: Value,
    /// When it has something to do by itself.
    pub due_at: Option<Timestamp>,
    /// When it fired and which run it started, if it did.
    pub fired: Option<(Timestamp, String)>,
}

/// What a trigger made of an event or a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerDecisionRow {
    /// The DAG.
    pub dag: String,
    /// The trigger.
    pub trigger: String,
    /// What it decided about, unique for the trigger: `event:17`, `time:2026-01-31T06:00:00Z`.
    pub cause: String,
    /// The event, where it was one.
    pub event: Option<i64>,
    /// When that happened.
    pub at: Timestamp,
    /// Whether it fired.
    pub fired: bool,
    /// The run that it started.
    pub run: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
}

/// Whether a DAG's triggers are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DagStateRow {
    /// The DAG.
    pub dag: String,
    /// Whether they are.
    pub paused: bool,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}
