//! Questions to people and their answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A question that a task waits on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRow {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// The request as the operator made it: question, approvers, evidence.
    pub request: Value,
    /// When it was asked.
    pub opened_at: Timestamp,
    /// When the answer is given by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was answered or withdrawn.
    pub closed_at: Option<Timestamp>,
    /// `approved`, `rejected`, `timed_out`, `cancelled`.
    pub outcome: Option<String>,
    /// Approvals so far; one that needs several stays open until the last.
    #[serde(default)]
    pub given: u32,
}

/// A person's answer, with the evidence that they had before them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// In their words.
    pub comment: Option<String>,
    /// What it was based on.
    pub evidence: Value,
}
