//! The dataset `verdict`: who decided what, when, and on which evidence.

use std::sync::Arc;

use arrow::{
    array::{RecordBatch, StringArray, TimestampMillisecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use futures::TryStreamExt;
use serde_json::Value;
use twinloom_sdk::{Context, Decision, OperatorError};
use twinloom_store::ReadOptions;

use crate::text::columns::{texts, value};

/// `verdict`: key `decision` (`approved` or `rejected`); `by`, `at`, `comment`, the `candidate` (`twin@3`) and the
/// `evidence` as JSON.
#[must_use]
pub fn verdict() -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("decision", DataType::Utf8, false),
        Field::new("by", DataType::Utf8, false),
        Field::new("at", time, false),
        Field::new("comment", DataType::Utf8, true),
        Field::new("candidate", DataType::Utf8, true),
        Field::new("evidence", DataType::Utf8, false),
    ]))
}

/// What a verdict says to those who act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// In their words.
    pub comment: Option<String>,
    /// The model version that it is on.
    pub candidate: Option<String>,
}

impl Verdict {
    /// Reads the verdict at the input port `verdict`.
    ///
    /// # Errors
    /// `verdict.empty`, `verdict.several`; what the store says.
    pub async fn read(context: &Context) -> Result<Self, OperatorError> {
        let manifest = context.dataset("verdict").await?;
        let id = manifest.id();
        let odd = |code: &str, what: &str| {
            let hint = "Connect the output `verdict` of an approve step.";
            OperatorError::data(code, format!("{id} holds {what}"), hint)
        };
        let mut batches = context.store().read(
            &manifest,
            ReadOptions {
                limit: Some(2),
                ..ReadOptions::default()
            },
        );
        let mut verdict = None;
        while let Some(rows) = batches.try_next().await? {
            for row in 0..rows.num_rows() {
                let text =
                    |name: &str| Ok::<_, OperatorError>(value(texts(&rows, name)?, row).map(str::to_owned));
                let approved = text("decision")?.as_deref() == Some("approved");
                let (by, comment, candidate) = (
                    text("by")?.unwrap_or_default(),
                    text("comment")?,
                    text("candidate")?,
                );
                if verdict
                    .replace(Self {
                        approved,
                        by,
                        comment,
                        candidate,
                    })
                    .is_some()
                {
                    return Err(odd("verdict.several", "more than one verdict"));
                }
            }
        }
        verdict.ok_or_else(|| odd("verdict.empty", "no verdict"))
    }
}

/// The row of a decision.
pub(super) fn row(
    decision: &Decision,
    candidate: Option<&str>,
    evidence: &Value,
) -> Result<RecordBatch, OperatorError> {
    let text = |text: Option<&str>| Arc::new(StringArray::from(vec![text]));
    let at = TimestampMillisecondArray::from(vec![decision.at.as_millisecond()]).with_timezone("UTC");
    Ok(RecordBatch::try_new(
        verdict(),
        vec![
            text(Some(if decision.approved { "approved" } else { "rejected" })),
            text(Some(&decision.by)),
            Arc::new(at),
            text(decision.comment.as_deref()),
            text(candidate),
            text(Some(&evidence.to_string())),
        ],
    )?)
}
