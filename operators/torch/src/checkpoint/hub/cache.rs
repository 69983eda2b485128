//! The cache's layout, which Hugging Face's tools share: `models--OWNER--NAME/refs/REVISION` holds a commit,
//! `snapshots/COMMIT/` its files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::name::{HubName, is_commit};
use crate::{ModelError, checkpoint::files};

/// What a file is called until all of it is there.
pub const PARTIAL: &str = "incomplete";

/// A model's folder in the cache.
#[derive(Debug, Clone)]
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// Of a named model.
    pub fn of(cache: &Path, name: &HubName) -> Self {
        let folder = ["models", name.owner(), name.name()]
            .into_iter()
            .filter(|part| !part.is_empty());
        Self {
            root: cache.join(folder.collect::<Vec<_>>().join("--")),
        }
    }

    /// A folder that has the layout.
    pub fn at(dir: &Path) -> Option<Self> {
        let found = dir.join("snapshots").is_dir() && !dir.join("config.json").exists();
        found.then(|| Self { root: dir.to_owned() })
    }

    /// The snapshot of `refs/main`, or the only one.
    pub fn only(&self, reference: &str) -> Result<PathBuf, ModelError> {
        if let Some((dir, _)) = self.snapshot("main") {
            return Ok(dir);
        }
        let entries = fs::read_dir(self.root.join("snapshots")).into_iter().flatten();
        let whole: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|dir| is_whole(dir))
            .collect();
        match <[PathBuf; 1]>::try_from(whole) {
            Ok([dir]) => Ok(dir),
            Err(found) => Err(ModelError::input(
                format!(
                    "the cache folder `{reference}` holds {} whole snapshots",
                    found.len()
                ),
                "Give the folder of one snapshot: the one below snapshots/.",
            )),
        }
    }

    /// The whole snapshot of a revision, with its commit.
    pub fn snapshot(&self, revision: &str) -> Option<(PathBuf, String)> {
        let commit = if is_commit(revision) {
            revision.to_owned()
        } else {
            fs::read_to_string(self.reference(revision))
                .ok()?
                .trim()
                .to_owned()
        };
        let dir = self.folder(&commit);
        (is_commit(&commit) && is_whole(&dir)).then_some((dir, commit))
    }

    /// The folder of a commit's files.
    pub fn folder(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The file that holds a revision's commit.
    pub fn reference(&self, revision: &str) -> PathBuf {
        self.root.join("refs").join(revision)
    }

    /// A file that is locked while the model is downloaded.
    pub fn lock(&self) -> PathBuf {
        self.root.join(".twinloom.lock")
    }
}

/// Whether everything that loading needs is there.
fn is_whole(dir: &Path) -> bool {
    let partial = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten();
        entries
            .filter_map(Result::ok)
            .any(|entry| entry.path().extension().is_some_and(|ext| ext == PARTIAL))
    };
    dir.join("config.json").is_file() && !partial(dir) && files::weight_files(dir).is_ok()
}
