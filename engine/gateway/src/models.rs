//! Model versions on disk: files checked out once a version, by content hash.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use twinloom_store::{FeatureStore, ModelManifest, Reference, Selector, StoreError, VersionId};

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

/// The version that a reference to a model means; where its name is known and its alias is not, the error says what
/// there is instead.
///
/// # Errors
/// [`GatewayError::NotReleased`], and what the store says.
pub async fn released(
    store: &FeatureStore,
    reference: &Reference,
) -> Result<Arc<ModelManifest>, GatewayError> {
    let said = match store.model(reference).await {
        Ok(manifest) => return Ok(manifest),
        Err(error) => error,
    };
    if !matches!(
        (&said, &reference.selector),
        (StoreError::NotFound { .. }, Selector::Label(_))
    ) {
        return Err(said.into());
    }
    let newest = Reference {
        name: reference.name.clone(),
        selector: Selector::Latest,
    };
    match store.model(&newest).await {
        Ok(newest) => Err(GatewayError::NotReleased {
            said: Box::new(said),
            newest: Box::new(newest.id()),
        }),
        Err(_) => Err(said.into()),
    }
}

/// Checks a model and its base out below `cache`.
///
/// # Errors
/// As [`released`]; [`GatewayError::NoBase`], [`GatewayError::File`].
pub async fn locate(
    store: &FeatureStore,
    reference: &Reference,
    cache: &Path,
) -> Result<Located, GatewayError> {
    let manifest = released(store, reference).await?;
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
    // Beside, under a name that nobody else has, and renamed: neither a crash nor two who ask at once leave half a folder
    // under the final name.
    let file = |source| GatewayError::File {
        path: dir.clone(),
        source,
    };
    std::fs::create_dir_all(cache).map_err(file)?;
    let beside = tempfile::Builder::new()
        .prefix(&format!("{}.", manifest.data.content_hash))
        .tempdir_in(cache)
        .map_err(file)?;
    let whole = beside.path().join("files");
    store.checkout_model(manifest, &whole).await?;
    match std::fs::rename(&whole, &dir) {
        Ok(()) => Ok(dir),
        // Another was faster; ours goes with its folder.
        Err(_) if dir.is_dir() => Ok(dir),
        Err(source) => Err(file(source)),
    }
}

/// What an adapter was trained on: the folder, or the name on the hub, that its record or PEFT's own configuration names.
fn base_path(manifest: &ModelManifest, adapter: &Path) -> Result<PathBuf, GatewayError> {
    let own = std::fs::read(adapter.join("adapter_config.json")).unwrap_or_default();
    let own: serde_json::Value = serde_json::from_slice(&own).unwrap_or_default();
    let recorded = manifest.data.config.get("base_path");
    let named = [recorded, own.get("base_model_name_or_path")]
        .into_iter()
        .flatten();
    let usable = |name: &str| Path::new(name).join("config.json").is_file() || is_hub_name(name);
    named
        .filter_map(serde_json::Value::as_str)
        .find(|name| usable(name))
        .map(PathBuf::from)
        .ok_or_else(|| GatewayError::NoBase {
            model: manifest.id().to_string(),
        })
}

/// `owner/name` or `owner/name@revision`, which the worker finds in the hub's cache.
fn is_hub_name(name: &str) -> bool {
    let plain = |part: &str| {
        let first = part.chars().next();
        first.is_some_and(|first| first.is_ascii_alphanumeric())
            && part
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-_.@".contains(letter))
    };
    name.split_once('/')
        .is_some_and(|(owner, rest)| plain(owner) && plain(rest))
}
