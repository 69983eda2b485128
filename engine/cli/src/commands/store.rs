//! `twinloom store …`: verify, collect garbage, reindex.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use serde_json::json;
use twinloom_meta::{AliasIndexRow, ArtifactKind, DatasetIndexRow, Index, ModelIndexRow};
use twinloom_store::{DatasetManifest, FeatureStore, GcOptions, Label, ModelManifest};

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
            let report = store.gc(options).await?;
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
    let mut index = Index::default();
    for name in store.datasets().await? {
        for (tag, label) in store.tags(&name).await? {
            index
                .aliases
                .push(alias_row(ArtifactKind::Dataset, name.as_str(), tag, label));
        }
    }
    for name in store.models().await? {
        for (alias, label) in store.aliases(&name).await? {
            index
                .aliases
                .push(alias_row(ArtifactKind::Model, name.as_str(), alias, label));
        }
    }
    index.datasets = super::dataset::all(store)
        .await
        .iter()
        .map(|manifest| dataset_row(manifest))
        .collect();
    let mut models = store.all_models();
    while let Some(manifest) = models.next().await {
        match manifest {
            Ok(manifest) => index.models.push(model_row(&manifest)),
            Err(error) => output::say(&format!("left out: {error}")),
        }
    }
    let counts = json!({
        "dataset_versions": index.datasets.len(), "model_versions": index.models.len(), "labels": index.aliases.len(),
    });
    app.meta().await?.replace_index(index).await?;
    if app.global.json {
        return output::json(&counts);
    }
    output::line(&format!(
        "{} dataset versions, {} model versions, {} tags and aliases",
        counts["dataset_versions"], counts["model_versions"], counts["labels"]
    ));
    Ok(())
}

fn alias_row(kind: ArtifactKind, name: &str, alias: String, label: Label) -> AliasIndexRow {
    AliasIndexRow {
        kind,
        name: name.to_owned(),
        alias,
        version: label.version,
        previous: label.previous,
        by: label.by,
        reason: label.reason,
        moved_at: label.moved_at,
    }
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The index row of a dataset version.
fn dataset_row(manifest: &DatasetManifest) -> DatasetIndexRow {
    let data = &manifest.data;
    DatasetIndexRow {
        name: data.name.to_string(),
        version: manifest.version,
        hash: data.content_hash.clone(),
        parent: manifest.parent,
        rows: data.rows,
        bytes: data.bytes,
        changes: data
            .changes
            .and_then(|changes| serde_json::to_value(changes).ok()),
        run: some(&data.producer.run),
        task: some(&data.producer.task),
        created_at: manifest.created_at,
    }
}

/// The index row of a model version.
pub fn model_row(manifest: &ModelManifest) -> ModelIndexRow {
    let data = &manifest.data;
    ModelIndexRow {
        name: data.name.to_string(),
        version: manifest.version,
        hash: data.content_hash.clone(),
        base: data.base.as_ref().map(ToString::to_string),
        metrics: json!(data.metrics),
        run: some(&data.producer.run),
        task: some(&data.producer.task),
        created_at: manifest.created_at,
    }
}
