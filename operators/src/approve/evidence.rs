//! What a decision is based on: the candidate, what it would replace, and the report.

use arrow::array::{Array, BooleanArray, Float64Array, RecordBatch};
use futures::TryStreamExt;
use serde_json::{Map, Value, json};
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::{DatasetManifest, ModelManifest, ReadOptions};

use crate::text::columns::{texts, typed, value};

/// Rows of the report that are shown; a report is a page, not a dataset.
const MOST_ROWS: usize = 200;

/// The candidate, where one is connected.
pub(super) async fn candidate(
    context: &Context,
) -> Result<Option<std::sync::Arc<ModelManifest>>, OperatorError> {
    if context.inputs("candidate").is_empty() {
        Ok(None)
    } else {
        context.model("candidate").await.map(Some)
    }
}

/// The evidence as JSON: `candidate`, `production` (the version that the alias points at), `report` with its rows,
/// `passed` and the names of figures that `failed`.
pub(super) async fn gather(
    context: &Context,
    candidate: Option<&ModelManifest>,
) -> Result<Value, OperatorError> {
    let report = context.dataset("report").await?;
    let rows = rows(context, &report).await?;
    let verdicts = || {
        rows.iter()
            .filter(|row| row.get("passed").is_some_and(Value::is_boolean))
    };
    let failed: Vec<Value> = verdicts()
        .filter(|row| row.get("passed") == Some(&Value::Bool(false)))
        .map(|row| json!(format!("{} of {}", word(row, "metric"), word(row, "subject"))))
        .collect();
    let passed = (verdicts().count() > 0).then_some(failed.is_empty());
    let mut evidence = Map::new();
    if let Some(model) = candidate {
        let production = context
            .store()
            .aliases(&model.data.name)
            .await?
            .get("production")
            .map(|label| label.version);
        evidence.insert("candidate".into(), json!(model.id().to_string()));
        evidence.insert("candidate_hash".into(), json!(model.data.content_hash));
        evidence.insert(
            "production".into(),
            json!(production.map(|version| format!("{}@{version}", model.data.name))),
        );
        evidence.insert("candidate_metrics".into(), json!(model.data.metrics));
    }
    evidence.insert("report".into(), json!(report.id().to_string()));
    evidence.insert("rows".into(), Value::Array(rows));
    evidence.insert("rows_in_all".into(), json!(report.data.rows));
    evidence.insert("passed".into(), json!(passed));
    evidence.insert("failed".into(), Value::Array(failed));
    Ok(Value::Object(evidence))
}

fn word<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

async fn rows(context: &Context, report: &DatasetManifest) -> Result<Vec<Value>, OperatorError> {
    let options = ReadOptions {
        limit: Some(MOST_ROWS),
        ..ReadOptions::default()
    };
    let mut batches = context.store().read(report, options);
    let mut rows = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        for row in 0..batch.num_rows() {
            rows.push(figure(&batch, row)?);
        }
    }
    Ok(rows)
}

fn figure(batch: &RecordBatch, row: usize) -> Result<Value, OperatorError> {
    let number = |name: &str| -> Result<Option<f64>, OperatorError> {
        let column = typed::<Float64Array>(batch, name)?;
        Ok(column.is_valid(row).then(|| column.value(row)))
    };
    let passed = typed::<BooleanArray>(batch, "passed")?;
    Ok(json!({
        "metric": value(texts(batch, "metric")?, row),
        "subject": value(texts(batch, "subject")?, row),
        "value": number("value")?,
        "low": number("low")?,
        "high": number("high")?,
        "threshold": number("threshold")?,
        "passed": passed.is_valid(row).then(|| passed.value(row)),
    }))
}
