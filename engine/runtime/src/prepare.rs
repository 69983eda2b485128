//! From a task whose needs are met to one that can start: condition, templates, pinned inputs, cache.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinloom_meta::{ArtifactRow, CacheRow};
use twinloom_sdk::{ArtifactId, OperatorError, OutputTarget};
use twinloom_spec::{Plan, PlannedTask};
use twinloom_store::{ArtifactKind, FeatureStore, Reference, StoreError, VersionId};

use crate::{
    dispatcher::{Input, Shared, TaskRef},
    keys::{self, Identity},
    scope,
};

/// Cache keys asked for in one query.
const KEYS_A_QUERY: usize = 400;

/// Tasks prepared by one helper.
const TOGETHER: usize = 400;

/// A task to prepare.
pub struct Job {
    /// Which.
    pub task: TaskRef,
    /// The plan that it is of.
    pub plan: Arc<Plan>,
    /// Inputs from tasks of the run, by port.
    pub inputs: IndexMap<String, Vec<ArtifactId>>,
    /// What templates may look at; none where there is no template.
    pub scope: Option<Value>,
    /// Do not look for an earlier result.
    pub fresh: bool,
}

/// What comes of it.
pub enum Prepared {
    /// The condition is false.
    Skip(String),
    /// It cannot start.
    Failed(OperatorError),
    /// An earlier result stands in.
    Cached(Box<Ready>, Box<Hit>),
    /// It can start.
    Ready(Box<Ready>),
}

/// All that an attempt needs and that does not depend on the attempt.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Resolved configuration.
    pub config: Value,
    /// Its hash.
    pub config_hash: String,
    /// Exact inputs by port.
    pub inputs: IndexMap<String, Vec<ArtifactId>>,
    /// Outputs by port.
    pub outputs: IndexMap<String, OutputTarget>,
    /// What an equal task is found by; none where the operator always runs.
    pub cache_key: Option<String>,
    /// Seed of all randomness.
    pub seed: u64,
}

/// An earlier result.
pub struct Hit {
    /// Its row.
    pub row: CacheRow,
    /// Its artifacts, as outputs of this task.
    pub outputs: Vec<CachedOutput>,
}

/// An artifact in a cache row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedOutput {
    /// The output port.
    pub port: String,
    /// The artifact.
    #[serde(flatten)]
    pub artifact: ArtifactId,
    /// Rows of a dataset.
    pub rows: Option<u64>,
}

impl CachedOutput {
    /// The artifacts of a task as a cache row holds them.
    pub fn of_rows(rows: &[ArtifactRow]) -> Value {
        let outputs: Vec<_> = rows.iter().filter_map(Self::of_row).collect();
        serde_json::to_value(outputs).unwrap_or_default()
    }

    fn of_row(row: &ArtifactRow) -> Option<Self> {
        Some(Self {
            port: row.port.clone(),
            artifact: artifact_id(row)?,
            rows: row.rows,
        })
    }
}

/// The exact artifact of a row.
pub fn artifact_id(row: &ArtifactRow) -> Option<ArtifactId> {
    let kind = match row.kind {
        twinloom_meta::ArtifactKind::Dataset => ArtifactKind::Dataset,
        twinloom_meta::ArtifactKind::Model => ArtifactKind::Model,
    };
    let name = twinloom_store::Name::new(row.name.clone()).ok()?;
    Some(ArtifactId {
        kind,
        id: VersionId {
            name,
            version: row.version,
            hash: row.hash.clone(),
        },
    })
}

/// Prepares a task that needs nothing but its plan, without waiting; gives the job back where it needs more.
pub fn plain(shared: &Shared, job: Box<Job>) -> Result<Prepared, Box<Job>> {
    let Some(planned) = job.plan.tasks.get(job.task.index) else {
        return Err(job);
    };
    let cacheable = shared
        .facts(&planned.operator)
        .is_none_or(|facts| facts.cacheable);
    if job.scope.is_some() || cacheable || externals(planned).next().is_some() {
        return Err(job);
    }
    let config = planned.config.clone();
    Ok(Prepared::Ready(Box::new(ready(
        shared, planned, config, job.inputs,
    ))))
}

/// Prepares tasks beside the dispatcher, and tells it.
pub fn spawn(shared: &Arc<Shared>, mut jobs: Vec<Job>) {
    while !jobs.is_empty() {
        let rest = jobs.split_off(jobs.len().min(TOGETHER));
        let chunk = std::mem::replace(&mut jobs, rest);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let prepared = all(&shared, chunk).await;
            shared.send(Input::Prepared(prepared));
        });
    }
}

/// Prepares tasks and hands each result over; cache look-ups are made together.
async fn all(shared: &Shared, jobs: Vec<Job>) -> Vec<(TaskRef, Prepared)> {
    let mut done = Vec::with_capacity(jobs.len());
    let mut candidates = Vec::new();
    for job in jobs {
        let (task, fresh) = (job.task.clone(), job.fresh);
        match one(shared, job).await {
            Ok(Prepared::Ready(ready)) if ready.cache_key.is_some() && !fresh => {
                candidates.push((task, ready))
            }
            Ok(prepared) => done.push((task, prepared)),
            Err(error) => done.push((task, Prepared::Failed(error))),
        }
    }
    while !candidates.is_empty() {
        let rest = candidates.split_off(candidates.len().min(KEYS_A_QUERY));
        let chunk = std::mem::replace(&mut candidates, rest);
        let keys: Vec<String> = chunk
            .iter()
            .filter_map(|(_, ready)| ready.cache_key.clone())
            .collect();
        let mut found = shared.config.meta.caches(&keys).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the cache could not be asked; tasks run instead");
            Default::default()
        });
        for (task, ready) in chunk {
            // Not removed: equal tasks of one run share a row.
            let row = ready
                .cache_key
                .as_ref()
                .and_then(|key| found.get_mut(key))
                .map(|row| row.clone());
            let hit = match row {
                Some(row) => usable(&shared.config.store, row).await,
                None => None,
            };
            done.push(match hit {
                Some(hit) => (task, Prepared::Cached(ready, Box::new(hit))),
                None => (task, Prepared::Ready(ready)),
            });
        }
    }
    done
}

/// An earlier result counts only while the store still has all of it.
pub async fn usable(store: &FeatureStore, row: CacheRow) -> Option<Hit> {
    let outputs: Vec<CachedOutput> = serde_json::from_value(row.outputs.clone()).ok()?;
    for output in &outputs {
        let id = &output.artifact.id;
        let stands = match output.artifact.kind {
            ArtifactKind::Dataset => store.dataset_exact(id).await.is_ok(),
            ArtifactKind::Model => store.model_exact(id).await.is_ok(),
        };
        if !stands {
            return None;
        }
    }
    Some(Hit { row, outputs })
}

/// The exact artifact behind a pinned reference.
pub async fn pinned(
    store: &FeatureStore,
    kind: ArtifactKind,
    reference: &str,
) -> Result<ArtifactId, StoreError> {
    let reference: Reference = reference.parse()?;
    let id = match kind {
        ArtifactKind::Dataset => store.dataset(&reference).await?.id(),
        ArtifactKind::Model => store.model(&reference).await?.id(),
    };
    Ok(ArtifactId { kind, id })
}

/// Whether an optional input from outside is the very artifact that flows into another port: the candidate is what is
/// in production already. It is left out, so that an equal task before the promotion is found.
pub fn says_nothing_new(
    shared: &Shared,
    task: &PlannedTask,
    port: &str,
    artifact: &ArtifactId,
    inputs: &IndexMap<String, Vec<ArtifactId>>,
) -> bool {
    let optional = shared
        .facts(&task.operator)
        .is_some_and(|facts| facts.is_optional(port));
    optional
        && inputs
            .iter()
            .any(|(other, artifacts)| other != port && artifacts.contains(artifact))
}

/// Inputs from outside the run, by port.
pub fn externals(task: &PlannedTask) -> impl Iterator<Item = (&str, ArtifactKind, &str)> {
    use twinloom_spec::PlannedInput as Input;
    task.inputs.iter().filter_map(|(port, input)| match input {
        Input::Dataset { reference } => Some((port.as_str(), ArtifactKind::Dataset, reference.as_str())),
        Input::Model { reference } => Some((port.as_str(), ArtifactKind::Model, reference.as_str())),
        Input::Task { .. } | Input::Gather { .. } | Input::Select { .. } => None,
    })
}

async fn one(shared: &Shared, job: Job) -> Result<Prepared, OperatorError> {
    let Some(planned) = job.plan.tasks.get(job.task.index) else {
        return Err(OperatorError::bug("task.unknown", "the plan has no such task"));
    };
    let scope = job.scope.unwrap_or_default();
    if let Some(condition) = &planned.condition
        && !scope::holds(condition, &scope)?
    {
        return Ok(Prepared::Skip(format!("skipped because `{condition}` is false")));
    }
    let mut inputs = job.inputs;
    for (port, kind, reference) in externals(planned) {
        let artifact = pinned(&shared.config.store, kind, reference).await?;
        if !says_nothing_new(shared, planned, port, &artifact, &inputs) {
            inputs.insert(port.to_owned(), vec![artifact]);
        }
    }
    let config = match scope::is_template(&planned.config) {
        true => scope::render(&planned.config, &scope)?,
        false => planned.config.clone(),
    };
    Ok(Prepared::Ready(Box::new(ready(shared, planned, config, inputs))))
}

/// Hashes and targets of a task whose configuration and inputs are known.
pub fn ready(
    shared: &Shared,
    planned: &PlannedTask,
    config: Value,
    inputs: IndexMap<String, Vec<ArtifactId>>,
) -> Ready {
    let facts = shared.facts(&planned.operator);
    let config_hash = keys::hash_value(&config);
    let outputs: IndexMap<_, _> = planned
        .outputs
        .iter()
        .filter_map(|(port, name)| {
            let kind = facts.map_or(ArtifactKind::Dataset, |facts| facts.output_kind(port));
            let name = twinloom_store::Name::new(name.clone()).ok()?;
            Some((port.clone(), OutputTarget { kind, name }))
        })
        .collect();
    let cacheable = facts.is_some_and(|facts| facts.cacheable);
    let salt = shared
        .config
        .registry
        .get(&planned.operator)
        .filter(|_| cacheable)
        .and_then(|o| o.cache_salt(&config));
    let identity = Identity {
        operator: &planned.operator,
        version: facts.map_or("", |facts| facts.version),
        config_hash: &config_hash,
        inputs: &inputs,
        outputs: &outputs,
        salt: salt.as_deref(),
    };
    let (cache_key, seed) = (cacheable.then(|| identity.cache_key()), identity.seed());
    Ready {
        config,
        config_hash,
        inputs,
        outputs,
        cache_key,
        seed,
    }
}
