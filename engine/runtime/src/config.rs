//! What an engine is started with.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use twinloom_meta::Meta;
use twinloom_sdk::Registry;
use twinloom_store::FeatureStore;

use crate::{Clock, SecretSource, executor::Programs};

/// Everything an engine needs; the composition root puts it together.
#[derive(Clone)]
pub struct EngineConfig {
    /// Folder of logs, working folders and vector collections; made where absent.
    pub home: PathBuf,
    /// The feature store.
    pub store: FeatureStore,
    /// The metadata database.
    pub meta: Meta,
    /// The operators.
    pub registry: Arc<Registry>,
    /// The programs that the process executor starts.
    pub programs: Programs,
    /// Where the values behind `secret:NAME` come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
    /// Tasks that run at a time, over all runs; at least 1.
    pub max_parallel: usize,
    /// Slots by pool; they win over what a DAG file states.
    pub pools: BTreeMap<String, u32>,
    /// Revision of the project's code, for manifests.
    pub code_revision: Option<String>,
}
