//! From a location to an object store.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use object_store::{
    ObjectStore, local::LocalFileSystem, memory::InMemory, parse_url_opts, prefix::PrefixStore,
};
use url::Url;

use super::Backend;
use crate::{StoreError, StoreLocation};

pub(super) fn open(location: &StoreLocation) -> Result<Backend, StoreError> {
    if let Some(folder) = local_folder(location)? {
        return open_folder(location, &folder);
    }
    if let Some(name) = location.url.strip_prefix("memory://") {
        let store: Arc<dyn ObjectStore> = memory(name.trim_matches('/'));
        return Ok(backend(location, Arc::clone(&store), store, None, false));
    }
    let url = Url::parse(&location.url).map_err(|error| invalid(location, error))?;
    let (store, prefix) =
        parse_url_opts(&url, options(location)).map_err(|error| invalid(location, error))?;
    let store: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(store, prefix));
    Ok(backend(location, Arc::clone(&store), store, None, true))
}

fn backend(
    location: &StoreLocation,
    objects: Arc<dyn ObjectStore>,
    durable: Arc<dyn ObjectStore>,
    root: Option<PathBuf>,
    remote: bool,
) -> Backend {
    let location = location.clone();
    Backend {
        location,
        objects,
        durable,
        root,
        remote,
        datasets: Default::default(),
        models: Default::default(),
    }
}

fn open_folder(location: &StoreLocation, folder: &Path) -> Result<Backend, StoreError> {
    std::fs::create_dir_all(folder)
        .map_err(|error| StoreError::file("open the store folder", folder, error))?;
    let root = folder
        .canonicalize()
        .map_err(|error| StoreError::file("open the store folder", folder, error))?;
    let files = LocalFileSystem::new_with_prefix(&root).map_err(|error| invalid(location, error))?;
    let durable = Arc::new(files.clone().with_fsync(true));
    Ok(backend(location, Arc::new(files), durable, Some(root), false))
}

/// The folder where the location is one: a plain path or a file URL.
fn local_folder(location: &StoreLocation) -> Result<Option<PathBuf>, StoreError> {
    if location.url.is_empty() {
        return Err(invalid(location, "it is empty"));
    }
    if !location.url.contains("://") {
        return Ok(Some(PathBuf::from(&location.url)));
    }
    if !location.url.starts_with("file://") {
        return Ok(None);
    }
    let url = Url::parse(&location.url).map_err(|error| invalid(location, error))?;
    url.to_file_path()
        .map(Some)
        .map_err(|()| invalid(location, "a file URL has an absolute path and no host"))
}

/// Named stores in memory live as long as the process.
fn memory(name: &str) -> Arc<InMemory> {
    static NAMED: OnceLock<Mutex<HashMap<String, Arc<InMemory>>>> = OnceLock::new();
    if name.is_empty() {
        return Arc::new(InMemory::new());
    }
    let mut named = NAMED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    Arc::clone(named.entry(name.to_owned()).or_default())
}

/// The environment's options for clouds, under those of the location.
fn options(location: &StoreLocation) -> BTreeMap<String, String> {
    const PREFIXES: [&str; 3] = ["aws_", "google_", "azure_"];
    let mut options: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.to_str()?.to_ascii_lowercase(), value.into_string().ok()?)))
        .filter(|(key, _)| PREFIXES.iter().any(|prefix| key.starts_with(prefix)))
        .collect();
    for (key, value) in &location.options {
        // `endpoint` of the location must win over `aws_endpoint` of the environment, whatever their order.
        for prefix in PREFIXES {
            options.remove(&format!("{prefix}{key}"));
        }
        options.insert(key.clone(), value.clone());
    }
    options
}

fn invalid(location: &StoreLocation, reason: impl std::fmt::Display) -> StoreError {
    StoreError::InvalidLocation {
        url: location.public_url(),
        reason: reason.to_string(),
    }
}
