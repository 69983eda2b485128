//! What every handler sees.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio_util::task::TaskTracker;
use twinloom_meta::Meta;
use twinloom_runtime::{Engine, Service, triggers::Condition};
use twinloom_sdk::Registry;
use twinloom_spec::Library;
use twinloom_store::FeatureStore;

use crate::{
    api::overview::FreshnessItem,
    auth::{accounts::Accounts, policy::Policy},
    http::{problem::Answer, rate::Rates},
    live::hub::Hub,
    metrics::Metrics,
    secrets::Vault,
};

/// The state, shared by all requests.
pub type Shared = Arc<App>;

/// Everything that requests are answered from.
pub struct App {
    /// The scheduler.
    pub engine: Engine,
    /// DAGs and triggers.
    pub service: Service,
    /// The database.
    pub meta: Meta,
    /// The feature store.
    pub store: FeatureStore,
    /// The operators.
    pub registry: Arc<Registry>,
    /// Folder of all state.
    pub home: PathBuf,
    /// Users, tokens, sessions.
    pub accounts: Accounts,
    /// Which permission each route needs.
    pub policy: Policy,
    /// How often the readers of streams are looked up again.
    pub look_again: Duration,
    /// Live events.
    pub live: Hub,
    /// Figures for Prometheus.
    pub metrics: Metrics,
    /// Secrets.
    pub secrets: Arc<Vault>,
    /// Writes under way: they end even where nobody waits for the answer any more.
    pub writes: TaskTracker,
    /// Requests by client.
    pub rates: Rates,
    /// Failed writes of strangers that are noted.
    pub noted: Rates,
    /// The API's document, as JSON.
    pub document: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Names under which it may be asked for, beside those of loopback.
    pub host_names: Vec<String>,
}

impl App {
    /// The pipelines that DAG files may use.
    pub fn pipelines(&self) -> Arc<Library> {
        self.service.dags().pipelines()
    }

    /// DAGs that new versions of a dataset may start, by the dataset.
    pub fn started_by_datasets(&self) -> BTreeMap<String, Vec<String>> {
        let mut starts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in self.service.dags().entries() {
            let conditions = entry.dag.as_deref().map(Condition::of).unwrap_or_default();
            for condition in conditions {
                let Condition::Datasets(group) = condition else {
                    continue;
                };
                for dataset in group.of {
                    let dags = starts.entry(dataset.name).or_default();
                    if dags.last() != Some(&entry.name) {
                        dags.push(entry.name.clone());
                    }
                }
            }
        }
        starts
    }

    /// How new each dataset is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn freshness(&self) -> Answer<Vec<FreshnessItem>> {
        let rows = self.meta.latest_datasets(None, None, 500).await?;
        let mut versions: BTreeMap<String, (u64, Timestamp)> = rows
            .into_iter()
            .map(|(row, _)| (row.name, (row.version, row.created_at)))
            .collect();
        let mut items = Vec::new();
        for deadline in self.service.freshness().await? {
            let version = versions.remove(&deadline.dataset);
            items.push(FreshnessItem {
                version: version.map(|(version, _)| version),
                newest_at: deadline.newest_at,
                deadline: Some(deadline.deadline),
                late: deadline.late,
                dag: Some(deadline.dag),
                dataset: deadline.dataset,
            });
        }
        items.extend(
            versions
                .into_iter()
                .map(|(dataset, (version, at))| FreshnessItem {
                    dataset,
                    dag: None,
                    version: Some(version),
                    newest_at: Some(at),
                    deadline: None,
                    late: false,
                }),
        );
        Ok(items)
    }
}
