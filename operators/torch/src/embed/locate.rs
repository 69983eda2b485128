//! Where the embedder's folder is, or why there is none.

use std::path::{Path, PathBuf};

pub use twinloom_operators::embed::above;
use twinloom_operators::embed::{EMBEDDER, folder};

use crate::{
    ModelError,
    checkpoint::hub::{self, HubName},
};

/// The embedder's folder: the configured one (a folder, or a name on the hub), the one that `TWINLOOM_EMBEDDER` names, or
/// the one that `infra/setup/embedder.sh` made above this program.
///
/// # Errors
/// `model.input` when there is none.
pub fn embedder_dir(configured: Option<&str>) -> Result<PathBuf, ModelError> {
    // A name on the hub is found in its cache, or downloaded.
    if let Some(name) = configured.filter(|name| HubName::parse(name).is_some() && !Path::new(name).exists())
    {
        return Ok(hub::locate(name)?.dir);
    }
    let hint = format!("Run infra/setup/embedder.sh, or set `model:` or {EMBEDDER} to an embedder's folder.");
    let Some(dir) = folder(configured) else {
        return Err(ModelError::input("no embedder is set up", hint));
    };
    if !dir.is_dir() {
        return Err(ModelError::input(
            format!("there is no embedder in {}", dir.display()),
            hint,
        ));
    }
    Ok(dir)
}

/// A model's folder: itself, or a name on the hub.
///
/// # Errors
/// As [`hub::locate`].
pub fn model_dir(reference: &str) -> Result<PathBuf, ModelError> {
    Ok(hub::locate(reference)?.dir)
}
