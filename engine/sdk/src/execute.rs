//! Runs one attempt of a task document against a registry, in this process.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use twinloom_store::FeatureStore;

use crate::{Assignment, Context, OperatorError, Outcome, PROTOCOL, Registry, Reporter};

/// Finds the operator, opens the store (unless one is given) and runs it; a panic becomes a `Bug` error. The values of
/// the assignment's secrets are struck out of how it ended.
///
/// # Errors
/// The operator's own, `protocol.version`, `operator.unknown`, or what the store says.
pub async fn execute(
    registry: &Registry,
    assignment: impl Into<Assignment>,
    store: Option<FeatureStore>,
    reporter: Reporter,
    cancelled: CancellationToken,
) -> Result<Outcome, OperatorError> {
    let Assignment { task, secrets } = assignment.into();
    let reporter = reporter.knowing(&secrets);
    if task.protocol != PROTOCOL {
        return Err(OperatorError::config(
            "protocol.version",
            format!(
                "the task speaks version {} of the worker protocol, this worker {PROTOCOL}",
                task.protocol
            ),
            "Build the scheduler and its workers from the same revision.",
        ));
    }
    let operator = registry.get(&task.operator).cloned().ok_or_else(|| {
        OperatorError::config(
            "operator.unknown",
            format!("this worker has no operator `{}`", task.operator),
            "Build the scheduler and its workers from the same revision.",
        )
    })?;
    let store = match store {
        Some(store) => store,
        None => FeatureStore::open_for_staging(&task.store)?,
    };
    let config = task.config.clone();
    let context = Context::new(
        Arc::new(task),
        store,
        reporter.clone(),
        cancelled,
        operator.info().version,
    );
    // A task of its own, so that a panic in the operator is an error of the attempt and not of the scheduler.
    let end = tokio::spawn(async move { operator.run(&context, config).await }).await;
    reporter.strike_end(end.unwrap_or_else(|panic| Err(panic.into())))
}
