//! A DAG as the folder has it.

use std::{path::PathBuf, sync::Arc, sync::OnceLock};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Map;
use twinloom_sdk::Registry;
use twinloom_spec::{Dag, Diagnostic, Diagnostics, Library, Plan, SourceFile};

/// A DAG file: its text as it stands, what is wrong with it, and the last version that was good.
#[derive(Debug, Clone, Serialize)]
pub struct DagEntry {
    /// The DAG's name; the file's, where it cannot be read so far.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The text as it stands.
    pub text: String,
    /// Hash of the text: the version to name when writing.
    pub hash: String,
    /// The last version without errors, which is what runs; none where there never was one.
    #[serde(skip)]
    pub dag: Option<Arc<Dag>>,
    /// What is wrong with the text as it stands, or with a pipeline that it uses.
    pub diagnostics: Vec<Diagnostic>,
    /// When the text was read.
    pub loaded_at: Timestamp,
    /// Whether its triggers are held.
    pub paused: bool,
    #[serde(skip)]
    pub(super) good: Option<Arc<Good>>,
}

impl DagEntry {
    /// The text of the last version without errors.
    #[must_use]
    pub fn running_text(&self) -> Option<&str> {
        self.good.as_deref().map(|good| good.file.text.as_str())
    }

    /// Whether the text as it stands is the one that runs.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.diagnostics.is_empty() && self.good.is_some()
    }
}

/// A version of a DAG that passed all checks, with the pipelines that it was checked with.
#[derive(Debug)]
pub(super) struct Good {
    pub(super) file: SourceFile,
    pub(super) library: Arc<Library>,
    /// The plan of a run without parameters: what most triggers start.
    plan: OnceLock<Result<Plan, Diagnostics>>,
}

impl Good {
    pub(super) fn new(file: SourceFile, library: Arc<Library>) -> Self {
        Self {
            file,
            library,
            plan: OnceLock::new(),
        }
    }

    pub(super) fn plan(
        &self,
        registry: &Registry,
        params: &Map<String, serde_json::Value>,
    ) -> Result<Plan, Diagnostics> {
        let make = |params| twinloom_spec::plan(&self.file, &self.library, registry, params);
        if params.is_empty() {
            return self.plan.get_or_init(|| make(params)).clone();
        }
        make(params)
    }
}
