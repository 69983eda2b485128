//! Model versions on disk: files checked out once a version, by content hash.

use std::path::{Path, PathBuf};

use twinloom_store::{FeatureStore, ModelManifest, Reference, VersionId};

use crate::GatewayError;

/// Where a model's files are.
#[derive(Debug, Clone)]
pub struct Located {
    /// The version.
    pub id: VersionId,
    /// Folder of the base checkpoint, or of the model itself where it is whole.
    pub base: PathBuf,
    /// Folder of the adapter, where the model is one.
    pub adapter: Option<PathBuf>,
}

/// Checks a model and its base out below `cache`.
///
/// # Errors
/// What the store says; [`GatewayError::NoBase`].
pub async fn locate(
    store: &FeatureStore,
    reference: &Reference,
    cache: &Path,
) -> Result<Located, GatewayError> {
    let manifest = store.model(reference).await?;
    let own = checkout(store, &manifest, cache).await?;
    let id = manifest.id();
    if !manifest.data.files.contains_key("adapter_config.json") {
        return Ok(Located {
            id,
            base: own,
            adapter: None,
        });
    }
    let base = match &manifest.data.base {
        Some(base) => checkout(store, &*store.model_exact(base).await?, cache).await?,
        None => base_path(&manifest, &own)?,
    };
    Ok(Located {
        id,
        base,
        adapter: Some(own),
    })
}

async fn checkout(
    store: &FeatureStore,
    manifest: &ModelManifest,
    cache: &Path,
) -> Result<PathBuf, GatewayError> {
    let dir = cache.join(&manifest.data.content_hash);
    if dir.is_dir() {
        return Ok(dir);
    }
    // Beside and renamed: a crash leaves no half folder under the final name.
    let file = |source| GatewayError::File {
        path: dir.clone(),
        source,
    };
    std::fs::create_dir_all(cache).map_err(file)?;
    let beside = cache.join(format!("{}.{}", manifest.data.content_hash, std::process::id()));
    let _ = std::fs::remove_dir_all(&beside);
    store.checkout_model(manifest, &beside).await?;
    match std::fs::rename(&beside, &dir) {
        Ok(()) => Ok(dir),
        Err(_) if dir.is_dir() => Ok(dir),
        Err(source) => Err(file(source)),
    }
}

/// The folder that an adapter was trained on, as PEFT's own configuration names it.
fn base_path(manifest: &ModelManifest, adapter: &Path) -> Result<PathBuf, GatewayError> {
    let no_base = || GatewayError::NoBase {
        model: manifest.id().to_string(),
    };
    let text = std::fs::read_to_string(adapter.join("adapter_config.json")).map_err(|_| no_base())?;
    let config: serde_json::Value = serde_json::from_str(&text).map_err(|_| no_base())?;
    let path = PathBuf::from(config["base_model_name_or_path"].as_str().ok_or_else(no_base)?);
    if path.join("config.json").is_file() {
        Ok(path)
    } else {
        Err(no_base())
    }
}
