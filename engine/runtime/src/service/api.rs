//! What callers of the service hand over and get back. All of it is plain data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::RunId;

/// An event's place in the log.
pub type EventId = i64;

/// A time at which a trigger would start a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fire {
    /// When.
    pub at: Timestamp,
    /// By what: `cron 0 6 * * * (Europe/Berlin)`.
    pub why: String,
    /// A run of the DAG that was started for this very time, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// A trigger of a DAG as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerStatus {
    /// Unique in the DAG; changes with the condition.
    pub id: String,
    /// `schedule`, `datasets`, `models`, `runs`, `webhook`, `queue`, `freshness`.
    pub kind: String,
    /// The condition in a sentence.
    pub description: String,
    /// The condition as JSON.
    pub condition: Value,
    /// What it has and what it waits for: `{"has": [...], "waits_for": [...]}`.
    pub state: Value,
    /// When it will do something by itself.
    pub next_at: Option<Timestamp>,
    /// When it last fired.
    pub last_fired_at: Option<Timestamp>,
    /// The run that it started last.
    pub last_run: Option<RunId>,
    /// What it would take to fire, in a sentence.
    pub would_take: String,
    /// How the queue does that it listens to, where somebody tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueState>,
}

/// What a trigger made of an event or a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TriggerDecision {
    /// The trigger.
    pub trigger: String,
    /// The event that it decided about; none for a time.
    pub event: Option<EventId>,
    /// When that happened.
    pub at: Timestamp,
    /// Whether it fired.
    pub fired: bool,
    /// The run that it started.
    pub run: Option<RunId>,
    /// Why, in a sentence.
    pub reason: String,
}

/// A deadline that a DAG sets for a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freshness {
    /// The dataset.
    pub dataset: String,
    /// The DAG that sets it.
    pub dag: String,
    /// When its newest version was made, or last found to be unchanged.
    pub newest_at: Option<Timestamp>,
    /// By when a newer one must be there.
    pub deadline: Timestamp,
    /// Whether that has passed.
    pub late: bool,
}

/// A request of a webhook.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The header [`TIMESTAMP_HEADER`]: seconds since 1970.
    pub timestamp: Option<&'a str>,
    /// The header [`SIGNATURE_HEADER`]: `sha256=` and the HMAC-SHA256, in hex, of `TIMESTAMP.BODY`.
    pub signature: Option<&'a str>,
    /// The body as it came.
    pub body: &'a [u8],
}

/// The header with a request's time.
pub const TIMESTAMP_HEADER: &str = "x-twinloom-timestamp";
/// The header with a request's signature.
pub const SIGNATURE_HEADER: &str = "x-twinloom-signature";

/// A queue that DAGs listen to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QueueSource {
    /// The queue.
    pub name: String,
    /// Where it is, as `secret:NAME`; none is the queue that the server is set up with.
    pub url: Option<String>,
}

/// How a queue does that DAGs listen to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueState {
    /// Whether messages can come.
    pub connected: bool,
    /// Why they cannot, in words without secrets.
    pub error: Option<String>,
    /// Since when that has been so.
    pub since: Timestamp,
}

/// A message of a queue.
#[derive(Debug, Clone)]
pub struct QueueMessage {
    /// The sender's id of it: the same id is taken once.
    pub id: Option<String>,
    /// Its body.
    pub body: Vec<u8>,
}
