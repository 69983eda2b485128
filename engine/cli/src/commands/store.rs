//! `twinloom store …`: verify, collect garbage, reindex.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use twinloom_runtime::index;
use twinloom_store::{FeatureStore, GcOptions};

use crate::{app::App, args::StoreCommand, error::CliError, output};

/// Runs the command.
///
/// # Errors
/// What the store says; `store.damaged` when `verify` finds problems.
pub async fn run(app: &App, command: &StoreCommand) -> Result<(), CliError> {
    let store = app.store().await?;
    match command {
        StoreCommand::Verify => verify(app, &store).await,
        StoreCommand::Gc {
            dry_run,
            grace_hours,
            keep_versions,
        } => {
            let options = GcOptions {
                dry_run: *dry_run,
                grace: Duration::from_secs(grace_hours.saturating_mul(3600)),
                keep_versions: *keep_versions,
                ..GcOptions::new(Timestamp::now())
            };
            let report = index::collect(&app.meta().await?, &store, options).await?;
            if app.global.json {
                return output::json(&report);
            }
            let verb = if *dry_run { "would be removed" } else { "removed" };
            output::line(&format!(
                "{} files, {} {verb}; {} are kept",
                report.removed_blobs + report.removed_temporary,
                output::bytes(report.removed_bytes),
                report.kept_blobs
            ));
            for version in &report.retired {
                output::line(&format!(
                    "{version} {}",
                    if *dry_run { "would go" } else { "goes" }
                ));
            }
            Ok(())
        }
        StoreCommand::Reindex => reindex(app, &store).await,
    }
}

async fn verify(app: &App, store: &FeatureStore) -> Result<(), CliError> {
    let report = store.verify(|_| ()).await?;
    if app.global.json {
        output::json(&report)?;
    } else {
        for problem in &report.problems {
            output::line(&format!(
                "{}: {} ({})",
                problem.owner, problem.detail, problem.path
            ));
        }
        output::say(&format!(
            "{} blobs, {} checked",
            report.blobs,
            output::bytes(report.bytes)
        ));
    }
    if report.problems.is_empty() {
        return Ok(());
    }
    Err(CliError::failed(
        "store.damaged",
        format!("{} problems found", report.problems.len()),
        "Restore the named files from a backup, or run the producing DAG again with --no-cache.",
    ))
}

async fn reindex(app: &App, store: &FeatureStore) -> Result<(), CliError> {
    let scanned = index::scan(store).await?;
    for problem in &scanned.left_out {
        output::say(&format!("left out: {problem}"));
    }
    let index = index::write(&app.meta().await?, store, scanned).await?;
    let counts = json!({
        "dataset_versions": index.datasets.len(), "model_versions": index.models.len(), "labels": index.aliases.len(),
    });
    if app.global.json {
        return output::json(&counts);
    }
    output::line(&format!(
        "{} dataset versions, {} model versions, {} tags and aliases",
        counts["dataset_versions"], counts["model_versions"], counts["labels"]
    ));
    Ok(())
}
