//! What `with:` of `approve` holds.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::{OnTimeout, OperatorError};

/// What a rejection does to the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnReject {
    /// The task fails with `approve.rejected`, and so does what depends on it.
    #[default]
    Fail,
    /// The task is done with the metric `approved: false`; steps after it decide by `if:`.
    Continue,
}

/// Who is asked what, and how long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who may answer: `role:NAME` or `user:NAME`; nobody named means anyone.
    pub approvers: Vec<String>,
    /// How many different people must approve, 1 unless stated; one rejection ends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub required: Option<u32>,
    /// How long to wait: `30m`, `12h`, `7d`; without it, as long as it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// What no answer in time counts as: `reject` or `approve`.
    pub on_timeout: OnTimeout,
    /// The question, in a sentence; without it, whether the candidate may be released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// What a rejection does: `fail` the task, or `continue` with a verdict that says so.
    pub reject: OnReject,
}

impl Config {
    /// The time to wait.
    ///
    /// # Errors
    /// `approve.timeout`, `approve.approvers`, `approve.required`.
    pub fn check(&self) -> Result<Option<Duration>, OperatorError> {
        let named = |approver: &&String| {
            ["role:", "user:"]
                .iter()
                .any(|kind| approver.strip_prefix(kind).is_some_and(|name| !name.is_empty()))
        };
        if let Some(wrong) = self.approvers.iter().find(|approver| !named(approver)) {
            return Err(OperatorError::config(
                "approve.approvers",
                format!("`{}` is no approver", wrong.escape_debug()),
                "Write `role:NAME` or `user:NAME`.",
            ));
        }
        let only_users =
            !self.approvers.is_empty() && self.approvers.iter().all(|name| name.starts_with("user:"));
        let most = if only_users { self.approvers.len() } else { 20 };
        let required = self.required.unwrap_or(1) as usize;
        if required == 0 || required > most {
            return Err(OperatorError::config(
                "approve.required",
                format!("{required} people cannot approve where {most} may"),
                "Write a number from 1 to as many as may answer, and at most 20.",
            ));
        }
        self.timeout.as_deref().map(duration).transpose()
    }
}

fn duration(text: &str) -> Result<Duration, OperatorError> {
    let parsed = text
        .parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let positive = parsed
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .filter(|time| !time.is_zero());
    positive.ok_or_else(|| {
        OperatorError::config(
            "approve.timeout",
            format!("`{}` is not a time to wait", text.escape_debug()),
            "Write it as `30m`, `12h` or `7d`.",
        )
    })
}
