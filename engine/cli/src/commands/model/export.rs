//! `twinloom model export`: a version as folders that other programs read.

use std::{fs, io, path::Path};

use serde_json::{Value, json};
use tokio::process::Command;
use twinloom_gateway::{GatewayError, locate};
use twinloom_store::{FeatureStore, VersionId};

use crate::{app::App, error::CliError, output};

/// PEFT's configuration of an adapter.
const ADAPTER: &str = "adapter_config.json";

/// Writes the version to `dir`. An adapter comes with its base in `dir/base`, where the base is a model of the store too:
/// its configuration then names that folder, so that PEFT and vLLM find it. Merged, the two come as one checkpoint.
///
/// # Errors
/// `model.folder_not_empty`; `model.export` where a file cannot be written; what the store says; what the libtorch worker says of a merge.
pub async fn run(
    app: &App,
    store: &FeatureStore,
    reference: &str,
    dir: &Path,
    merged: bool,
) -> Result<(), CliError> {
    let reference = reference.parse()?;
    // What is there may be of another version, and links to the store's own files.
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(CliError::usage(
            "model.folder_not_empty",
            format!("the folder `{}` is not empty", dir.display()),
            "Name a folder that is empty or not there.",
        ));
    }
    if merged {
        let cache = app.home()?.join("cache").join("models");
        let found = locate(store, &reference, &cache).await?;
        if let Some(adapter) = &found.adapter {
            merge(app, &found.base, adapter, dir).await?;
            return written(app, dir, &found.id, true);
        }
    }
    let manifest = store.model(&reference).await?;
    store.checkout_model(&manifest, dir).await?;
    if let Some(base) = &manifest.data.base {
        let base = store.model_exact(base).await?;
        store.checkout_model(&base, &dir.join("base")).await?;
        name_base(dir).map_err(|error| {
            CliError::failed(
                "model.export",
                format!("`{}` cannot be changed: {error}", dir.join(ADAPTER).display()),
                "Check the file and that the folder can be written to.",
            )
        })?;
    }
    written(app, dir, &manifest.id(), false)
}

/// Says what was written where.
fn written(app: &App, dir: &Path, id: &VersionId, merged: bool) -> Result<(), CliError> {
    if app.global.json {
        return output::json(&json!({
            "dir": dir, "name": id.name, "version": id.version, "hash": id.hash, "merged": merged,
            "base": !merged && dir.join("base").is_dir(),
        }));
    }
    output::line(&dir.display().to_string());
    Ok(())
}

/// Writes the path of `dir/base` into the adapter's configuration.
fn name_base(dir: &Path) -> io::Result<()> {
    let path = dir.join(ADAPTER);
    let mut config: Value = match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)?,
        // No adapter of PEFT's format.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let base = dir.join("base").canonicalize()?;
    if let Some(config) = config.as_object_mut() {
        config.insert("base_model_name_or_path".to_owned(), json!(base));
        config.insert("revision".to_owned(), Value::Null);
    }
    // The file may be a link to the store's own: it is replaced, not written to.
    let fresh = dir.join("adapter_config.new");
    fs::write(&fresh, format!("{config:#}\n"))?;
    fs::rename(&fresh, &path)
}

async fn merge(app: &App, base: &Path, adapter: &Path, dir: &Path) -> Result<(), CliError> {
    let program = app.torch()?.ok_or(GatewayError::NoWorker)?;
    let ran = Command::new(&program)
        .arg("merge")
        .args([base, adapter, dir])
        .kill_on_drop(true)
        .output()
        .await;
    let ran = ran.map_err(|source| GatewayError::Spawn {
        path: program.clone(),
        source,
    })?;
    if ran.status.success() {
        return Ok(());
    }
    Err(refusal(&String::from_utf8_lossy(&ran.stderr)).into())
}

/// The worker's last words: `error[code]: message`, and a hint on the next line.
fn refusal(words: &str) -> GatewayError {
    let said = words
        .rsplit_once("error[")
        .and_then(|(_, said)| said.split_once("]: "));
    match said {
        Some((code, rest)) => {
            let (message, hint) = rest.split_once("\n  ").unwrap_or((rest, ""));
            GatewayError::Refused {
                code: code.to_owned(),
                message: message.trim().to_owned(),
                hint: hint.trim().to_owned(),
            }
        }
        None => GatewayError::Worker {
            reason: words.trim().to_owned(),
        },
    }
}
