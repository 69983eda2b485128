//! What an operator returns: staged outputs with figures, or a question to a person.

use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_store::{StagedDataset, StagedModel};

use crate::{AliasMove, Staged};

/// How a task ended that did not fail.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It is done.
    Done(Done),
    /// A person has to decide; the engine runs the operator again with the decision.
    Wait(ApprovalRequest),
}

/// Outputs and figures of a task that is done.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Staged artifacts by output port.
    pub outputs: IndexMap<String, Staged>,
    /// Summary figures, readable downstream as `steps.<name>.metrics.<key>`.
    pub metrics: Map<String, Value>,
    /// Aliases to move.
    pub aliases: Vec<AliasMove>,
}

impl Done {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a staged dataset.
    #[must_use]
    pub fn dataset(mut self, port: &str, staged: StagedDataset) -> Self {
        self.outputs.insert(port.to_owned(), Staged::Dataset(staged));
        self
    }

    /// Adds a staged model.
    #[must_use]
    pub fn model(mut self, port: &str, staged: StagedModel) -> Self {
        self.outputs.insert(port.to_owned(), Staged::Model(staged));
        self
    }

    /// Adds a figure.
    #[must_use]
    pub fn metric(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.metrics.insert(name.to_owned(), value.into());
        self
    }

    /// Adds an alias move.
    #[must_use]
    pub fn alias(mut self, alias: AliasMove) -> Self {
        self.aliases.push(alias);
        self
    }
}

impl From<Done> for Outcome {
    fn from(done: Done) -> Self {
        Self::Done(done)
    }
}

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The question, in a sentence.
    pub question: String,
    /// Who may answer: `role:approver`, `user:ada`; empty is anyone.
    pub approvers: Vec<String>,
    /// How many different people must approve; one rejection ends it.
    #[serde(default = "one")]
    pub required: u32,
    /// How long to wait.
    #[serde(default)]
    pub timeout: Option<Duration>,
    /// What happens after it.
    pub on_timeout: OnTimeout,
    /// What the decision is based on: report, candidate, production, figures.
    pub evidence: Value,
}

fn one() -> u32 {
    1
}

/// What becomes of a question that nobody answered in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnTimeout {
    /// As if rejected.
    #[default]
    Reject,
    /// As if approved.
    Approve,
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// In their words.
    #[serde(default)]
    pub comment: Option<String>,
}
