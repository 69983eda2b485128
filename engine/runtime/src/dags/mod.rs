//! The folder of DAG files, watched. A bad file never harms good ones, and of each DAG the last good version stays.

mod entry;
mod error;
mod files;
mod load;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use serde_json::{Map, Value};
use tokio::sync::watch;
use twinloom_sdk::Registry;
use twinloom_spec::{Diagnostic, Diagnostics, Library, Plan, SourceFile};

pub use entry::DagEntry;
pub use error::DagsError;

use self::load::Loaded;
use crate::Clock;

/// Where DAG and pipeline files lie.
#[derive(Debug, Clone, Default)]
pub struct DagFolders {
    /// Folders of DAG files; pipeline files among them count as such. The first takes new ones.
    pub dags: Vec<PathBuf>,
    /// Folders of pipeline files.
    pub pipelines: Vec<PathBuf>,
}

/// DAGs by name, as the files of some folders have them. Clones share it.
#[derive(Clone)]
pub struct DagFolder {
    inner: Arc<Inner>,
}

struct Inner {
    folders: DagFolders,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
    /// What was read; held while the folder is read, so that readings do not mix.
    loaded: Mutex<Loaded>,
    view: RwLock<View>,
    generation: watch::Sender<u64>,
}

/// What readers see.
#[derive(Default)]
struct View {
    entries: BTreeMap<String, DagEntry>,
    library: Arc<Library>,
    pipelines: Vec<Diagnostic>,
    paused: BTreeSet<String>,
}

impl DagFolder {
    /// Reads the folders once; [`DagFolder::reload`] reads what has changed since.
    ///
    /// # Errors
    /// `dag.file` where a folder is there and cannot be read.
    pub fn open(
        folders: DagFolders,
        registry: Arc<Registry>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DagsError> {
        let inner = Inner {
            folders,
            registry,
            clock,
            loaded: Mutex::default(),
            view: RwLock::default(),
            generation: watch::Sender::new(0),
        };
        let folder = Self {
            inner: Arc::new(inner),
        };
        folder.reload()?;
        Ok(folder)
    }

    /// Looks for files that came, changed or went; whether there was any. Blocks on the file system.
    ///
    /// # Errors
    /// `dag.file` where a folder cannot be read; what was known stays.
    pub fn reload(&self) -> Result<bool, DagsError> {
        let inner = &*self.inner;
        let mut loaded = lock(&inner.loaded);
        let now = inner.clock.now();
        if !loaded.read(&inner.folders, now)? {
            return Ok(false);
        }
        let mut view = inner.view.write().unwrap_or_else(PoisonError::into_inner);
        view.entries = loaded.entries(&inner.registry);
        view.library = loaded.library();
        view.pipelines = loaded.pipeline_diagnostics();
        let View { entries, paused, .. } = &mut *view;
        for entry in entries.values_mut() {
            entry.paused = paused.contains(&entry.name);
        }
        drop(view);
        inner.generation.send_modify(|generation| *generation += 1);
        Ok(true)
    }

    /// All DAGs by name, those with errors among them.
    #[must_use]
    pub fn entries(&self) -> Vec<DagEntry> {
        self.view(|view| view.entries.values().cloned().collect())
    }

    /// A DAG.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<DagEntry> {
        self.view(|view| view.entries.get(name).cloned())
    }

    /// The pipelines that DAGs may use.
    #[must_use]
    pub fn pipelines(&self) -> Arc<Library> {
        self.view(|view| Arc::clone(&view.library))
    }

    /// What is wrong with pipeline files.
    #[must_use]
    pub fn pipeline_diagnostics(&self) -> Vec<Diagnostic> {
        self.view(|view| view.pipelines.clone())
    }

    /// The plan of a run, from the last version without errors, and that version's text.
    ///
    /// # Errors
    /// `dag.unknown`; `dag.invalid` where there never was a good version or the parameters are wrong.
    pub fn plan(&self, name: &str, params: &Map<String, Value>) -> Result<(Plan, String), DagsError> {
        let entry = self.known(name)?;
        let Some(good) = &entry.good else {
            return Err(DagsError::Invalid {
                name: name.to_owned(),
                diagnostics: Diagnostics(entry.diagnostics),
            });
        };
        match good.plan(&self.inner.registry, params) {
            Ok(plan) => Ok((plan, good.file.text.clone())),
            Err(diagnostics) => Err(DagsError::Invalid {
                name: name.to_owned(),
                diagnostics,
            }),
        }
    }

    /// Checks a text as if it were in the folder; the file is named as the DAG's is, where it is known.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn validate(&self, name: &str, text: &str) -> Result<twinloom_spec::Dag, Diagnostics> {
        let file = SourceFile::new(self.path_of(name).display().to_string(), text);
        twinloom_spec::validate(&file, &self.pipelines(), &*self.inner.registry)
    }

    /// Writes a DAG's text, atomically; a new DAG goes into the first folder. `expected` is the hash of the text that
    /// the writer has read, none for a DAG that is to be new.
    ///
    /// # Errors
    /// `dag.invalid`, `dag.conflict`, `dag.other_name`, `dag.file`.
    pub fn write(&self, name: &str, text: &str, expected: Option<&str>) -> Result<DagEntry, DagsError> {
        let dag = self
            .validate(name, text)
            .map_err(|diagnostics| DagsError::Invalid {
                name: name.to_owned(),
                diagnostics,
            })?;
        if dag.name.value.0 != name {
            return Err(DagsError::OtherName {
                name: name.to_owned(),
                found: dag.name.value.0,
            });
        }
        // What stands on the disk counts, not what was read a moment ago.
        self.reload()?;
        let found = self.entry(name).map(|entry| entry.hash);
        if found.as_deref() != expected {
            return Err(DagsError::Conflict {
                name: name.to_owned(),
                expected: expected.unwrap_or("nothing").to_owned(),
                found: found.unwrap_or_else(|| "nothing".to_owned()),
            });
        }
        let path = self.path_of(name);
        let failed = |source| DagsError::File {
            what: path.display().to_string(),
            source,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        files::write(&path, text).map_err(failed)?;
        lock(&self.inner.loaded).forget(&path);
        self.reload()?;
        self.known(name)
    }

    /// Tells when something has changed: a number that grows.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.generation.subscribe()
    }

    /// Whether a DAG's triggers are held, as the database has it.
    pub(crate) fn set_paused(&self, name: &str, paused: bool) {
        let mut view = self.inner.view.write().unwrap_or_else(PoisonError::into_inner);
        if paused {
            view.paused.insert(name.to_owned());
        } else {
            view.paused.remove(name);
        }
        if let Some(entry) = view.entries.get_mut(name) {
            entry.paused = paused;
        }
    }

    fn known(&self, name: &str) -> Result<DagEntry, DagsError> {
        self.entry(name).ok_or_else(|| DagsError::Unknown {
            name: name.to_owned(),
        })
    }

    fn path_of(&self, name: &str) -> PathBuf {
        let known = self.entry(name).map(|entry| entry.path);
        known.unwrap_or_else(|| {
            let folder = self
                .inner
                .folders
                .dags
                .first()
                .map_or(Path::new("."), |path| path);
            folder.join(format!("{name}.yaml"))
        })
    }

    fn view<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&self.inner.view.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
