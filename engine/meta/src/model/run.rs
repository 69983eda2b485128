//! Runs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Field, RunState};

/// A run with its plan. Times are kept to the microsecond.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// ULID; sorts by time of creation.
    pub id: String,
    /// The DAG's name.
    pub dag: String,
    /// The plan that it follows, as JSON.
    pub plan: Value,
    /// The DAG's file, as it was.
    pub dag_text: String,
    /// Parameters.
    pub params: Value,
    /// Where it stands.
    pub state: RunState,
    /// What started it: `{"kind": "manual", "by": …}`.
    pub trigger: Value,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first task was queued.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The process that runs it.
    pub owner: Option<String>,
    /// Counts the owners; the fencing token.
    pub epoch: i64,
    /// Until when the owner is taken to be alive.
    pub lease_until: Option<Timestamp>,
    /// Why it failed, as JSON.
    pub error: Option<Value>,
}

impl RunRow {
    /// The same without the plan.
    #[must_use]
    pub fn head(&self) -> RunHead {
        RunHead {
            id: self.id.clone(),
            dag: self.dag.clone(),
            params: self.params.clone(),
            state: self.state,
            trigger: self.trigger.clone(),
            created_at: self.created_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            owner: self.owner.clone(),
            epoch: self.epoch,
            lease_until: self.lease_until,
            error: self.error.clone(),
        }
    }
}

/// A run without its plan, which may be large: what lists are made of. Fields as in [`RunRow`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHead {
    /// ULID.
    pub id: String,
    /// The DAG's name.
    pub dag: String,
    /// Parameters.
    pub params: Value,
    /// Where it stands.
    pub state: RunState,
    /// What started it.
    pub trigger: Value,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first task was queued.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The process that runs it.
    pub owner: Option<String>,
    /// Counts the owners.
    pub epoch: i64,
    /// Until when the owner is taken to be alive.
    pub lease_until: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Value>,
}

/// A change of a run. Ownership has methods of its own ([`crate::Meta::claim_run`]).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunUpdate {
    /// Which.
    pub id: String,
    /// Where it stands now.
    pub state: Option<RunState>,
    /// When its first task was queued.
    pub started_at: Field<Timestamp>,
    /// When it ended.
    pub ended_at: Field<Timestamp>,
    /// Why it failed.
    pub error: Field<Value>,
}

impl RunUpdate {
    /// A change of state and nothing else.
    #[must_use]
    pub fn state(id: &str, state: RunState) -> Self {
        Self {
            id: id.to_owned(),
            state: Some(state),
            ..Self::default()
        }
    }
}

/// Which runs to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// In one of these states; empty is any.
    pub states: Vec<RunState>,
    /// Of this DAG.
    pub dag: Option<String>,
    /// Owned by this process.
    pub owner: Option<String>,
    /// Whose id, DAG, parameters, trigger or error holds this text.
    pub text: Option<String>,
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
    /// Created before this run (its id): the cursor of the next page.
    pub before: Option<String>,
    /// At most so many; 0 is 100.
    pub limit: u64,
}
