//! What a trigger holds between events. It follows from the log: kept only so that the log need not be read from the start.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A trigger's memory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The last schedule time that is dealt with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Timestamp>,
    /// What came of each dataset since the last run.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub have: BTreeMap<String, Have>,
    /// The condition is met, and waits for quiet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub met: Option<Met>,
    /// Messages that wait for a run, by their events.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    pub messages: VecDeque<i64>,
    /// The DAG is paused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// What would have fired last while it was paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Box<Cause>>,
    /// When the newest version of a dataset with a deadline was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<Timestamp>,
    /// The deadline for which an alert was raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerted: Option<Timestamp>,
}

/// What came of a dataset since the last run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Have {
    /// Its newest version.
    pub version: u64,
    /// Rows that changed in all.
    pub changed: u64,
    /// When a version last fulfilled its conditions.
    pub fulfilled: Option<Timestamp>,
}

/// A condition that is met.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Met {
    /// The last event that belongs to it.
    pub event: i64,
    /// When that happened.
    pub at: Timestamp,
    /// The run that caused it.
    pub run: Option<String>,
}

/// What fires a trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cause {
    /// Unique for the trigger: `event:17`, `time:2026-01-31T06:00:00Z`.
    pub key: String,
    /// The event that was the last straw.
    pub event: Option<i64>,
    /// When that happened, or for which time it is.
    pub at: Timestamp,
    /// Why, in a sentence.
    pub reason: String,
    /// More for the run's trigger: versions, schedule time.
    pub detail: Map<String, Value>,
    /// The run that caused it.
    pub run: Option<String>,
    /// Events whose payloads give the run's parameters.
    pub payloads: Vec<i64>,
}

/// What a trigger decided: to start a run, or not to.
#[derive(Debug, Clone, PartialEq)]
pub enum Decided {
    /// A run is to be started, and the state after that.
    Fire(Box<Cause>, Box<State>),
    /// Nothing is started, because of this.
    Pass {
        /// Unique for the trigger.
        key: String,
        /// The event.
        event: Option<i64>,
        /// When.
        at: Timestamp,
        /// Why, in a sentence.
        reason: String,
    },
}
