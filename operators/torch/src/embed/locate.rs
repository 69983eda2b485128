//! Where the embedder's folder is.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    ModelError,
    checkpoint::hub::{self, HubName},
};

/// Names the embedder's folder where the configuration does not.
const EMBEDDER: &str = "TWINLOOM_EMBEDDER";

/// Where set-up puts the default embedder, below the repository that the program was built in.
const SET_UP: &str = ".cache/minilm";

/// The embedder's folder: the configured one (a folder, or a name on the hub), the one that `TWINLOOM_EMBEDDER` names, or the one that
/// `infra/setup/embedder.sh` made above this program.
///
/// # Errors
/// `model.input` when there is none.
pub fn embedder_dir(configured: Option<&str>) -> Result<PathBuf, ModelError> {
    // A name on the hub is found in its cache, or downloaded.
    if let Some(name) = configured.filter(|name| HubName::parse(name).is_some() && !Path::new(name).exists())
    {
        return Ok(hub::locate(name)?.dir);
    }
    let named = configured
        .map(PathBuf::from)
        .or_else(|| env::var_os(EMBEDDER).map(PathBuf::from));
    let hint = format!("Run infra/setup/embedder.sh, or set `model:` or {EMBEDDER} to an embedder's folder.");
    let Some(dir) = named.or_else(|| above(SET_UP)) else {
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

/// A folder or file of that name beside one of the folders that this program is in.
#[must_use]
pub fn above(name: &str) -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    program
        .ancestors()
        .skip(1)
        .take(5)
        .map(|folder: &Path| folder.join(name))
        .find(|path| path.exists())
}
