//! `twinloom model export`: a version as folders that other programs read.

use std::path::Path;

use tokio::process::Command;
use twinloom_gateway::{GatewayError, locate};
use twinloom_store::FeatureStore;

use crate::{app::App, error::CliError, output};

/// Writes the version to `dir`. An adapter comes as it is, with its base in `dir/base` unless that is a folder elsewhere;
/// merged, the two come as one checkpoint.
///
/// # Errors
/// What the store says; what the libtorch worker says of a merge.
pub async fn run(
    app: &App,
    store: &FeatureStore,
    reference: &str,
    dir: &Path,
    merged: bool,
) -> Result<(), CliError> {
    let manifest = store.model(&reference.parse()?).await?;
    let is_adapter = manifest.data.files.contains_key("adapter_config.json");
    if merged && is_adapter {
        let cache = app.home()?.join("cache").join("models");
        let found = locate(store, &reference.parse()?, &cache).await?;
        let adapter = found.adapter.as_deref().unwrap_or(&found.base);
        merge(app, &found.base, adapter, dir).await?;
    } else {
        store.checkout_model(&manifest, dir).await?;
        if let Some(base) = &manifest.data.base {
            let base = store.model_exact(base).await?;
            store.checkout_model(&base, &dir.join("base")).await?;
        }
    }
    output::line(&dir.display().to_string());
    Ok(())
}

async fn merge(app: &App, base: &Path, adapter: &Path, dir: &Path) -> Result<(), CliError> {
    let program = app.torch()?.ok_or(GatewayError::NoWorker)?;
    let spawned = Command::new(&program)
        .arg("merge")
        .args([base, adapter, dir])
        .env("OMP_WAIT_POLICY", "PASSIVE")
        .output()
        .await;
    let done = spawned.map_err(|source| GatewayError::Spawn {
        path: program.clone(),
        source,
    })?;
    if done.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    Err(GatewayError::Worker { reason }.into())
}
