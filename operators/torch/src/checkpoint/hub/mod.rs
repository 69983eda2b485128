//! Where a model's files are: a folder, the cache that Hugging Face's own tools use, or the hub.
//!
//! A name stands for one commit: the one that it carries, or the one that the cache holds, or the newest on the hub,
//! which is then in the cache. So a second run reads the same weights, and reads them without a network.

mod cache;
mod fetch;
mod name;

#[cfg(test)]
mod tests;

use std::{
    env,
    path::{Path, PathBuf},
};

pub use name::HubName;

use crate::ModelError;
use cache::Repository;

/// A model whose files are on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The folder that has its config.json.
    pub dir: PathBuf,
    /// Its name with the commit, where it was named and not given as a folder.
    pub hub: Option<HubName>,
}

/// Finds models.
#[derive(Debug, Clone)]
pub struct Hub {
    cache: PathBuf,
    /// Whether the network may not be asked.
    offline: bool,
    /// The hub's address, where it is not the public one.
    endpoint: Option<String>,
}

impl Hub {
    /// As the environment has it for Hugging Face's own tools: `HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE`,
    /// `HF_ENDPOINT`, `HF_TOKEN`.
    #[must_use]
    pub fn from_environment() -> Self {
        let set = |name: &str| {
            env::var(name).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false" | "False"))
        };
        Self {
            cache: hf_hub::resolve_cache_dir(),
            offline: set("HF_HUB_OFFLINE") || set("TRANSFORMERS_OFFLINE"),
            endpoint: None,
        }
    }

    /// With a cache of its own; `endpoint` is the hub's address, `None` keeps it from asking a network.
    #[must_use]
    pub fn new(cache: PathBuf, endpoint: Option<String>) -> Self {
        Self {
            cache,
            offline: endpoint.is_none(),
            endpoint,
        }
    }

    /// The model of a folder, or of a name: `owner/name`, with `@revision` where a certain one is meant, or
    /// `hf:name` for a name without an owner. Blocks while it downloads; what was downloaded before it was
    /// interrupted is not downloaded again.
    ///
    /// # Errors
    /// `model.input` for what is neither, `model.hub_*` with what to do, `model.pickle` for a model that has no
    /// safetensors, or what is missing.
    pub fn locate(&self, reference: &str) -> Result<Located, ModelError> {
        let path = Path::new(reference);
        if path.is_dir() {
            let dir = Repository::at(path)
                .map_or_else(|| Ok(path.to_owned()), |repository| repository.only(reference))?;
            return Ok(Located { dir, hub: None });
        }
        let Some(name) = HubName::parse(reference) else {
            return Err(ModelError::input(
                format!("there is no folder `{reference}`, and it is no name on the hub either"),
                "Give the folder of a Hugging Face checkpoint, or a name as `owner/name` or `owner/name@revision`.",
            ));
        };
        let repository = Repository::of(&self.cache, &name);
        if let Some((dir, commit)) = repository.snapshot(name.revision()) {
            return Ok(located(dir, &name, commit));
        }
        if self.offline {
            return Err(fetch::offline(&name, &self.cache));
        }
        let commit = fetch::fetch(&repository, &name, self.endpoint.as_deref())?;
        Ok(located(repository.folder(&commit), &name, commit))
    }
}

/// [`Hub::locate`] as the environment has it.
///
/// # Errors
/// As [`Hub::locate`].
pub fn locate(reference: &str) -> Result<Located, ModelError> {
    Hub::from_environment().locate(reference)
}

fn located(dir: PathBuf, name: &HubName, commit: String) -> Located {
    Located {
        dir,
        hub: Some(name.at(commit)),
    }
}
