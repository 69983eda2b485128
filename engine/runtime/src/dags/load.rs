//! What was read, and what follows from it.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use jiff::Timestamp;
use twinloom_sdk::Registry;
use twinloom_spec::{Diagnostic, Diagnostics, Library, SourceFile, duplicate_dag, kind_of};

use super::{
    DagEntry, DagFolders, DagsError,
    entry::Good,
    files::{self, Stamp},
};

/// Files as they were last read, and the last good version of each DAG.
#[derive(Default)]
pub struct Loaded {
    files: BTreeMap<PathBuf, Read>,
    library: Arc<Library>,
    library_diagnostics: Vec<Diagnostic>,
    good: BTreeMap<PathBuf, (String, Arc<Good>, Arc<twinloom_spec::Dag>)>,
    started: bool,
}

struct Read {
    stamp: Stamp,
    hash: String,
    at: Timestamp,
    /// By the clock that stamps files.
    read_at: SystemTime,
    file: Result<SourceFile, Diagnostics>,
    is_pipeline: bool,
    /// Missed once: an editor may be about to put it back.
    missing: bool,
}

impl Loaded {
    /// Reads what has changed; whether anything has.
    pub fn read(&mut self, folders: &DagFolders, now: Timestamp) -> Result<bool, DagsError> {
        let mut found = HashSet::new();
        let (mut changed, mut pipelines_changed) = (!self.started, !self.started);
        for (folder, pipelines) in folders
            .dags
            .iter()
            .map(|folder| (folder, false))
            .chain(folders.pipelines.iter().map(|folder| (folder, true)))
        {
            let listed = files::find(folder).map_err(|source| DagsError::File {
                what: folder.display().to_string(),
                source,
            })?;
            for (path, stamp) in listed {
                if !found.insert(path.clone()) {
                    continue;
                }
                let known = self.files.get_mut(&path);
                if let Some(known) = known
                    && known.stamp == stamp
                    && stamp.is_settled(known.read_at)
                {
                    known.missing = false;
                    continue;
                }
                let read = self.look(&path, stamp, pipelines, now);
                let before = self.files.get(&path);
                if before.is_none_or(|before| before.hash != read.hash || before.missing) {
                    changed = true;
                    pipelines_changed |= read.is_pipeline || before.is_some_and(|before| before.is_pipeline);
                    self.files.insert(path, read);
                } else if let Some(before) = self.files.get_mut(&path) {
                    before.stamp = stamp;
                    before.read_at = read.read_at;
                }
            }
        }
        self.files.retain(|path, read| {
            if found.contains(path) {
                return true;
            }
            let gone = std::mem::replace(&mut read.missing, true);
            changed |= gone;
            pipelines_changed |= gone && read.is_pipeline;
            !gone
        });
        self.good.retain(|path, _| self.files.contains_key(path));
        if pipelines_changed {
            self.make_library();
        }
        self.started = true;
        Ok(changed)
    }

    /// A file that was just written is read again, whatever its stamp says.
    pub fn forget(&mut self, path: &Path) {
        if let Some(read) = self.files.get_mut(path) {
            read.hash.clear();
            read.read_at = SystemTime::UNIX_EPOCH;
        }
    }

    /// The pipelines.
    pub fn library(&self) -> Arc<Library> {
        Arc::clone(&self.library)
    }

    /// What is wrong with files of pipelines.
    pub fn pipeline_diagnostics(&self) -> Vec<Diagnostic> {
        self.library_diagnostics.clone()
    }

    /// The DAGs by name; the last good version of each is kept on the way.
    pub fn entries(&mut self, registry: &Registry) -> BTreeMap<String, DagEntry> {
        let dags = || self.files.iter().filter(|(_, read)| !read.is_pipeline);
        let mut checked: Vec<_> = dags()
            .map(|(path, read)| {
                let file = read.file.as_ref().map_err(Clone::clone);
                let dag = file.and_then(|file| {
                    twinloom_spec::validate(file, &self.library, registry).map(|dag| (file.clone(), dag))
                });
                (path.clone(), dag)
            })
            .collect();
        // Good ones first, then those that once were: a broken file never takes a good one's name.
        checked.sort_by_key(|(path, dag)| (dag.is_err(), !self.good.contains_key(path)));
        let mut entries: BTreeMap<String, DagEntry> = BTreeMap::new();
        for (path, dag) in checked {
            let mut diagnostics = Vec::new();
            match dag {
                Ok((file, dag)) => match entries.get(&dag.name.value.0) {
                    Some(first) => {
                        diagnostics = duplicate_dag(&file, &dag, &first.path.display().to_string()).0;
                    }
                    None => {
                        let good = Arc::new(Good::new(file, Arc::clone(&self.library)));
                        let kept = (dag.name.value.0.clone(), good, Arc::new(dag));
                        self.good.insert(path.clone(), kept);
                    }
                },
                Err(wrong) => diagnostics = wrong.0,
            }
            let Some(read) = self.files.get(&path) else {
                continue;
            };
            let kept = self.good.get(&path);
            let name = kept.map_or_else(|| stem(&path), |(name, ..)| name.clone());
            let (name, kept) = if entries.contains_key(&name) {
                (path.display().to_string(), None)
            } else {
                (name, kept)
            };
            let entry = DagEntry {
                name: name.clone(),
                text: read
                    .file
                    .as_ref()
                    .map(|file| file.text.clone())
                    .unwrap_or_default(),
                hash: read.hash.clone(),
                dag: kept.map(|(_, _, dag)| Arc::clone(dag)),
                good: kept.map(|(_, good, _)| Arc::clone(good)),
                diagnostics,
                loaded_at: read.at,
                paused: false,
                path,
            };
            entries.insert(name, entry);
        }
        entries
    }

    fn look(&self, path: &Path, stamp: Stamp, pipelines: bool, at: Timestamp) -> Read {
        let file = files::read(path);
        let hash = match &file {
            Ok(file) => files::hash(&file.text),
            Err(wrong) => files::hash(&wrong.to_string()),
        };
        let kind = file.as_ref().ok().and_then(kind_of);
        let is_pipeline = match kind.as_deref() {
            Some("Pipeline") => true,
            Some("Dag") => false,
            // What cannot be told is what it was, or else what its folder is for.
            _ => self
                .files
                .get(path)
                .map_or(pipelines, |before| before.is_pipeline),
        };
        Read {
            stamp,
            hash,
            at,
            read_at: SystemTime::now(),
            file,
            is_pipeline,
            missing: false,
        }
    }

    fn make_library(&mut self) {
        let readable = |(_, read): (&PathBuf, &Read)| read.file.as_ref().ok().cloned();
        let pipelines = || self.files.iter().filter(|(_, read)| read.is_pipeline);
        let mut files: Vec<SourceFile> = pipelines().filter_map(readable).collect();
        let mut wrong: Vec<Diagnostic> = pipelines()
            .filter_map(|(_, read)| read.file.as_ref().err())
            .flat_map(|wrong| wrong.0.clone())
            .collect();
        let library = loop {
            match Library::from_files(files.clone()) {
                Ok(library) => break library,
                // The later file of a name is left out, so that the others still load.
                Err(doubled) => {
                    let before = files.len();
                    files.retain(|file| doubled.0.iter().all(|found| found.file != file.name));
                    wrong.extend(doubled.0);
                    if files.len() == before {
                        break Library::default();
                    }
                }
            }
        };
        wrong.extend(library.diagnostics().0);
        self.library = Arc::new(library);
        self.library_diagnostics = wrong;
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}
