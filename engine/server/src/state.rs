//! What every handler sees.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use twinloom_meta::Meta;
use twinloom_runtime::Engine;
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
    /// Live events.
    pub live: Hub,
    /// Figures for Prometheus.
    pub metrics: Metrics,
    /// Secrets.
    pub secrets: Vault,
    /// Requests by client.
    pub rates: Rates,
    /// The API's document, as JSON.
    pub document: Arc<str>,
    /// Where it listens.
    pub address: SocketAddr,
    /// Names under which it may be asked for, beside those of loopback.
    pub host_names: Vec<String>,
}

impl App {
    /// The pipelines that DAG files may use.
    pub fn pipelines(&self) -> Library {
        Library::default()
    }

    /// DAGs that new versions of a dataset may start.
    pub fn started_by_dataset(&self, _dataset: &str) -> Vec<String> {
        Vec::new()
    }

    /// How new each dataset is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn freshness(&self) -> Answer<Vec<FreshnessItem>> {
        let rows = self.meta.latest_datasets(None, None, 500).await?;
        let item = |(row, _): (twinloom_meta::DatasetIndexRow, u64)| FreshnessItem {
            dataset: row.name,
            version: Some(row.version),
            newest_at: Some(row.created_at),
            deadline: None,
            late: false,
        };
        Ok(rows.into_iter().map(item).collect())
    }
}
