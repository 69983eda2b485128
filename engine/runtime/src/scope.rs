//! What templates and conditions of a task may look at.

use serde_json::{Map, Value, json};
use twinloom_meta::{ArtifactRow, TaskRow};
use twinloom_sdk::OperatorError;
use twinloom_spec::{PlannedTask, expr};

use crate::summary;

/// The variables of a task: `params`, `steps`, `run`, `matrix`, `item`.
pub fn of_task(
    params: &Map<String, Value>,
    run: &str,
    dag: &str,
    task: &PlannedTask,
    steps: Map<String, Value>,
) -> Value {
    json!({
        "params": params,
        "steps": steps,
        "run": { "id": run, "dag": dag },
        "matrix": task.variant,
        "item": task.variant.get("item"),
    })
}

/// What others see of a task that has ended, as `steps.<name>`.
pub fn of_step(row: &TaskRow, outputs: &[ArtifactRow]) -> Value {
    let output = |artifact: &ArtifactRow| {
        let reference = format!("{}@{}", artifact.name, artifact.version);
        let (name, version, hash) = (&artifact.name, artifact.version, &artifact.hash);
        let seen = json!({ "name": name, "version": version, "hash": hash, "rows": artifact.rows, "reference": reference });
        (artifact.port.clone(), seen)
    };
    let outputs: Map<String, Value> = outputs.iter().map(output).collect();
    json!({ "state": row.state, "metrics": summary::metrics(row), "outputs": outputs })
}

/// Whether any text in it is a template.
pub fn is_template(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains("${{"),
        Value::Array(items) => items.iter().any(is_template),
        Value::Object(map) => map.values().any(is_template),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A task's configuration with every template in it rendered.
pub fn render(config: &Value, scope: &Value) -> Result<Value, OperatorError> {
    expr::render(config, scope).map_err(|error| {
        let hint = "Look at the metrics of the steps it names, with `twinloom show RUN`.";
        OperatorError::config(
            "template.failed",
            format!("the step's `with:` cannot be rendered: {error}"),
            hint,
        )
    })
}

/// Whether a task's `if:` holds.
pub fn holds(condition: &str, scope: &Value) -> Result<bool, OperatorError> {
    expr::eval(condition, scope)
        .map(|value| expr::truthy(&value))
        .map_err(|error| {
            let hint = "Look at the metrics of the steps it names, with `twinloom show RUN`.";
            OperatorError::config(
                "condition.failed",
                format!("`if: {condition}` cannot be evaluated: {error}"),
                hint,
            )
        })
}
