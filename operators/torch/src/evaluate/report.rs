//! The report: rows of figures, and a text for people.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray},
    error::ArrowError,
};
use serde_json::Value;
use twinloom_sdk::records;

use super::{Check, bootstrap::Interval};

/// A row of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What was measured.
    pub metric: &'static str,
    /// Of what: candidate, base, production, difference, author.
    pub subject: &'static str,
    /// The figure.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// Its threshold, and whether that holds.
    pub check: Option<(f64, bool)>,
    /// More.
    pub evidence: Option<Value>,
}

impl Figure {
    /// A figure alone.
    #[must_use]
    pub fn new(metric: &'static str, subject: &'static str, value: f64) -> Self {
        Self {
            metric,
            subject,
            value,
            interval: None,
            check: None,
            evidence: None,
        }
    }

    /// A figure with its interval.
    #[must_use]
    pub fn of(metric: &'static str, subject: &'static str, interval: Interval) -> Self {
        Self {
            interval: Some((interval.low, interval.high)),
            ..Self::new(metric, subject, interval.value)
        }
    }

    /// With the gate's word on it.
    #[must_use]
    pub fn checked(self, check: Option<&Check>) -> Self {
        Self {
            check: check.map(|check| (check.threshold, check.passed)),
            ..self
        }
    }

    /// With more to look at.
    #[must_use]
    pub fn with(self, evidence: Value) -> Self {
        Self {
            evidence: Some(evidence),
            ..self
        }
    }
}

/// The rows of [`records::report`].
///
/// # Errors
/// What arrow says.
pub fn rows(figures: &[Figure]) -> Result<RecordBatch, ArrowError> {
    let text = |get: fn(&Figure) -> &'static str| -> ArrayRef {
        Arc::new(
            figures
                .iter()
                .map(|figure| Some(get(figure)))
                .collect::<StringArray>(),
        )
    };
    let number = |get: fn(&Figure) -> Option<f64>| -> ArrayRef {
        Arc::new(figures.iter().map(get).collect::<Float64Array>())
    };
    let passed: BooleanArray = figures
        .iter()
        .map(|figure| figure.check.map(|(_, passed)| passed))
        .collect();
    let evidence: StringArray = figures
        .iter()
        .map(|figure| figure.evidence.as_ref().map(ToString::to_string))
        .collect();
    RecordBatch::try_new(
        records::report(),
        vec![
            text(|figure| figure.metric),
            text(|figure| figure.subject),
            number(|figure| Some(figure.value)),
            number(|figure| figure.interval.map(|(low, _)| low)),
            number(|figure| figure.interval.map(|(_, high)| high)),
            number(|figure| figure.check.map(|(threshold, _)| threshold)),
            Arc::new(passed),
            Arc::new(evidence),
        ],
    )
}
