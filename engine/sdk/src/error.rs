//! What an operator may fail with: the kind says who has to act.

use std::fmt;

use serde::{Deserialize, Serialize};
use twinloom_store::StoreError;

/// Who has to act on an error. Only [`ErrorKind::Retry`] is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Nobody: it may pass by itself (network, busy device).
    Retry,
    /// The author of the YAML.
    Config,
    /// The owner of the data.
    Data,
    /// Us.
    Bug,
}

/// An operator's error: kind, stable code, message, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorError {
    /// Who has to act.
    pub kind: ErrorKind,
    /// Stable, dotted, lower case: `scrape.git_unreadable`.
    pub code: String,
    /// What happened, naming the thing.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl OperatorError {
    /// Passes by itself; the engine tries again.
    pub fn retry(code: &str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Retry, code, message, hint)
    }

    /// The YAML has to change.
    pub fn config(code: &str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Config, code, message, hint)
    }

    /// The data has to change.
    pub fn data(code: &str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Data, code, message, hint)
    }

    /// Twinloom has to change.
    pub fn bug(code: &str, message: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Bug,
            code,
            message,
            "This is a defect of Twinloom: please report it with the task's log.",
        )
    }

    fn new(kind: ErrorKind, code: &str, message: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.to_string(),
            hint: hint.to_string(),
        }
    }
}

impl fmt::Display for OperatorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for OperatorError {}

impl From<StoreError> for OperatorError {
    fn from(error: StoreError) -> Self {
        let kind = if error.retryable() {
            ErrorKind::Retry
        } else {
            ErrorKind::Data
        };
        Self::new(kind, error.code(), &error, error.hint())
    }
}

impl From<arrow::error::ArrowError> for OperatorError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::bug("arrow", error)
    }
}

impl From<tokio::task::JoinError> for OperatorError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::bug("operator.panicked", error)
    }
}
