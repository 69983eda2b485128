//! The handle.

mod accounts;
mod destinations;
mod index_pages;
mod kept;
mod pages;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    AliasIndexRow, ApprovalRow, ArtifactRow, AttemptRow, AuditRow, Before, CacheRow, Change, DagStateRow,
    DatasetIndexRow, DecisionRow, EventRow, Index, IndexKey, MetaError, MetricPoint, MetricSeries,
    ModelIndexRow, RunFilter, RunHead, RunRow, TaskRow, TriggerDecisionRow, TriggerRow,
    connect::{Address, Pools},
    read::{artifacts, events, runs, tasks, triggers},
    write::{Batches, check_fence, forget, index, lease},
};

/// How often a transaction is tried that collides with another one on a server.
const TRIES: u32 = 5;

/// A connection to the metadata database. Clones share it.
///
/// Every method fails with `meta.busy` or `meta.connect` (both may pass by themselves), `meta.corrupt` or
/// `meta.database`; what else it fails with is said there.
#[derive(Clone)]
pub struct Meta {
    pools: Arc<Pools>,
    address: Address,
    /// The last event that this process has written.
    written: Arc<watch::Sender<i64>>,
}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meta").field(&self.address.shown()).finish()
    }
}

impl Meta {
    /// Opens (and creates) `sqlite://PATH`, `sqlite::memory:` or `postgres://…`, and brings its tables up to date.
    /// A path is taken as it is, without escapes or options.
    ///
    /// # Errors
    /// `meta.invalid_url`, `meta.connect`, `meta.not_writable`, `meta.too_new`.
    pub async fn connect(url: &str) -> Result<Self, MetaError> {
        let address = Address::parse(url)?;
        let pools = Pools::open(&address).await.map_err(|error| match error {
            MetaError::Connect { reason, .. } => MetaError::Connect {
                url: address.shown(),
                reason,
            },
            other => other,
        })?;
        Ok(Self {
            pools: Arc::new(pools),
            address,
            written: Arc::new(watch::Sender::new(0)),
        })
    }

    /// Where the database is, without user, password and options.
    #[must_use]
    pub fn location(&self) -> String {
        self.address.shown()
    }

    /// Writes all changes in one transaction, or none. `fence` names runs with the epoch that they must still have.
    ///
    /// # Errors
    /// `meta.fenced`, `meta.exists` (an inserted run, task or event is there already), `meta.not_found` (an updated
    /// row is not there), `meta.not_writable`.
    pub async fn apply(&self, changes: Vec<Change>, fence: &[(String, i64)]) -> Result<(), MetaError> {
        self.append(changes, fence).await.map(drop)
    }

    /// The same; the id of the last event among the changes, where there is one.
    ///
    /// # Errors
    /// As for [`Meta::apply`]; `meta.superseded` where a change that names what it has read finds something else.
    pub async fn append(
        &self,
        changes: Vec<Change>,
        fence: &[(String, i64)],
    ) -> Result<Option<i64>, MetaError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.apply_once(Batches::new(&changes), fence).await {
                // A file is waited for by SQLite itself; a server ends one of two that wait for each other.
                Err(MetaError::Busy { .. })
                    if tries < TRIES && matches!(self.address, Address::Postgres(_)) =>
                {
                    tokio::time::sleep(Duration::from_millis(u64::from(5 * tries))).await;
                }
                result => {
                    if let Ok(Some(last)) = result {
                        self.written.send_modify(|written| *written = last.max(*written));
                    }
                    return result;
                }
            }
        }
    }

    async fn apply_once(&self, batches: Batches, fence: &[(String, i64)]) -> Result<Option<i64>, MetaError> {
        let transaction = self.pools.begin().await?;
        let written = match check_fence(&transaction, fence).await {
            Ok(()) => batches.write(&transaction).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(last) => {
                transaction.commit().await?;
                Ok(last)
            }
            Err(error) => {
                // The first error is the one to tell; a rollback that fails ends with the connection.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Takes a run over: its new epoch, or none where its epoch is not `expected_epoch` any more.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn claim_run(
        &self,
        id: &str,
        owner: &str,
        expected_epoch: i64,
        lease_until: Timestamp,
    ) -> Result<Option<i64>, MetaError> {
        let transaction = self.pools.begin().await?;
        let epoch = lease::claim(&transaction, id, owner, expected_epoch, lease_until).await?;
        transaction.commit().await?;
        Ok(epoch)
    }

    /// Prolongs the leases of all unfinished runs of an owner; the number of them.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn renew_leases(&self, owner: &str, until: Timestamp) -> Result<u64, MetaError> {
        self.set_leases(owner, Some(until)).await
    }

    /// Gives up the leases of all unfinished runs of an owner, so that another may claim them at once.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn release(&self, owner: &str) -> Result<u64, MetaError> {
        self.set_leases(owner, None).await
    }

    async fn set_leases(&self, owner: &str, until: Option<Timestamp>) -> Result<u64, MetaError> {
        let transaction = self.pools.begin().await?;
        let runs = lease::renew(&transaction, owner, until).await?;
        transaction.commit().await?;
        Ok(runs)
    }

    /// A run by id or unique prefix of it, of at least four letters in any case.
    ///
    /// # Errors
    /// `meta.not_found`, `meta.ambiguous`.
    pub async fn run(&self, id: &str) -> Result<RunRow, MetaError> {
        runs::run(&self.pools.reader, id).await
    }

    /// The same without the plan.
    ///
    /// # Errors
    /// `meta.not_found`, `meta.ambiguous`.
    pub async fn run_head(&self, id: &str) -> Result<RunHead, MetaError> {
        runs::head(&self.pools.reader, id).await
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// `meta.not_found` where there is no run `filter.before`.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, MetaError> {
        runs::list(&self.pools.reader, filter).await
    }

    /// Tasks of a run in the plan's order.
    ///
    /// # Errors
    /// As for every method.
    pub async fn tasks(&self, run: &str) -> Result<Vec<TaskRow>, MetaError> {
        tasks::list(&self.pools.reader, run).await
    }

    /// One task.
    ///
    /// # Errors
    /// `meta.not_found`.
    pub async fn task(&self, run: &str, id: &str) -> Result<TaskRow, MetaError> {
        tasks::one(&self.pools.reader, run, id).await
    }

    /// Attempts of a run, or of one of its tasks, in order.
    ///
    /// # Errors
    /// As for every method.
    pub async fn attempts(&self, run: &str, task: Option<&str>) -> Result<Vec<AttemptRow>, MetaError> {
        tasks::attempts(&self.pools.reader, Some(run), task, false).await
    }

    /// Attempts that have not ended, of a run or of all.
    ///
    /// # Errors
    /// As for every method.
    pub async fn open_attempts(&self, run: Option<&str>) -> Result<Vec<AttemptRow>, MetaError> {
        tasks::attempts(&self.pools.reader, run, None, true).await
    }

    /// What a run published, by task and port.
    ///
    /// # Errors
    /// As for every method.
    pub async fn artifacts(&self, run: &str) -> Result<Vec<ArtifactRow>, MetaError> {
        artifacts::of_run(&self.pools.reader, run).await
    }

    /// Points of curves of a run, or of one of its tasks, in order.
    ///
    /// # Errors
    /// As for every method.
    pub async fn metrics(&self, run: &str, task: Option<&str>) -> Result<Vec<MetricPoint>, MetaError> {
        tasks::metrics(&self.pools.reader, run, task).await
    }

    /// The curves and figures that a run's tasks reported, without their points, by task and name.
    ///
    /// # Errors
    /// As for every method.
    pub async fn metric_series(&self, run: &str) -> Result<Vec<MetricSeries>, MetaError> {
        tasks::metric_series(&self.pools.reader, run).await
    }

    /// Events with a greater id, in order.
    ///
    /// # Errors
    /// As for every method.
    pub async fn events_after(&self, cursor: i64, limit: u64) -> Result<Vec<EventRow>, MetaError> {
        events::after(&self.pools.reader, cursor, limit).await
    }

    /// Tells when this process (through this handle or a clone of it) writes events: the id of the last one. Other
    /// processes' events are not told.
    #[must_use]
    pub fn watch_events(&self) -> watch::Receiver<i64> {
        self.written.subscribe()
    }

    /// Triggers with their cursors, of a DAG or of all.
    ///
    /// # Errors
    /// As for every method.
    pub async fn triggers(&self, dag: Option<&str>) -> Result<Vec<TriggerRow>, MetaError> {
        triggers::list(&self.pools.reader, dag).await
    }

    /// What the triggers of a DAG decided, newest first.
    ///
    /// # Errors
    /// As for every method.
    pub async fn trigger_decisions(
        &self,
        dag: &str,
        limit: u64,
    ) -> Result<Vec<TriggerDecisionRow>, MetaError> {
        triggers::decisions(&self.pools.reader, dag, limit).await
    }

    /// DAGs that are or were paused.
    ///
    /// # Errors
    /// As for every method.
    pub async fn dag_states(&self) -> Result<Vec<DagStateRow>, MetaError> {
        triggers::dag_states(&self.pools.reader).await
    }

    /// Removes what has served its time; how many rows.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn forget(&self, before: Before) -> Result<u64, MetaError> {
        let transaction = self.pools.begin().await?;
        let removed = forget::old(&transaction, before).await?;
        transaction.commit().await?;
        Ok(removed)
    }

    /// Events of these ids, in their order.
    ///
    /// # Errors
    /// As for every method.
    pub async fn events_of(&self, ids: &[i64]) -> Result<Vec<EventRow>, MetaError> {
        events::of_ids(&self.pools.reader, ids).await
    }

    /// When a dataset's newest version was made, or last found to be unchanged by a task.
    ///
    /// # Errors
    /// As for every method.
    pub async fn dataset_confirmed_at(&self, name: &str) -> Result<Option<Timestamp>, MetaError> {
        artifacts::confirmed_at(&self.pools.reader, name).await
    }

    /// The id of the last event; 0 before the first.
    ///
    /// # Errors
    /// As for every method.
    pub async fn last_event(&self) -> Result<i64, MetaError> {
        events::last(&self.pools.reader).await
    }

    /// Questions that nobody has answered, of a run or of all, oldest first.
    ///
    /// # Errors
    /// As for every method.
    pub async fn open_approvals(&self, run: Option<&str>) -> Result<Vec<ApprovalRow>, MetaError> {
        tasks::open_approvals(&self.pools.reader, run).await
    }

    /// The last decision on a task.
    ///
    /// # Errors
    /// As for every method.
    pub async fn decision(&self, run: &str, task: &str) -> Result<Option<DecisionRow>, MetaError> {
        Ok(tasks::decisions(&self.pools.reader, run, Some(task)).await?.pop())
    }

    /// All decisions of a run, in order.
    ///
    /// # Errors
    /// As for every method.
    pub async fn decisions(&self, run: &str) -> Result<Vec<DecisionRow>, MetaError> {
        tasks::decisions(&self.pools.reader, run, None).await
    }

    /// The result under a cache key.
    ///
    /// # Errors
    /// As for every method.
    pub async fn cache(&self, key: &str) -> Result<Option<CacheRow>, MetaError> {
        Ok(self.caches(&[key.to_owned()]).await?.remove(key))
    }

    /// The results under any of these cache keys.
    ///
    /// # Errors
    /// As for every method.
    pub async fn caches(&self, keys: &[String]) -> Result<BTreeMap<String, CacheRow>, MetaError> {
        tasks::caches(&self.pools.reader, keys).await
    }

    /// Dataset versions by name and number; of one dataset where a name is given.
    ///
    /// # Errors
    /// As for every method.
    pub async fn dataset_index(&self, name: Option<&str>) -> Result<Vec<DatasetIndexRow>, MetaError> {
        artifacts::datasets(&self.pools.reader, name).await
    }

    /// Model versions by name and number; of one model where a name is given.
    ///
    /// # Errors
    /// As for every method.
    pub async fn model_index(&self, name: Option<&str>) -> Result<Vec<ModelIndexRow>, MetaError> {
        artifacts::models(&self.pools.reader, name).await
    }

    /// Tags and aliases; of one dataset or model where a name is given.
    ///
    /// # Errors
    /// As for every method.
    pub async fn alias_index(&self, name: Option<&str>) -> Result<Vec<AliasIndexRow>, MetaError> {
        artifacts::aliases(&self.pools.reader, name).await
    }

    /// Writes these rows of the index over what there is and removes those, in one transaction; all others stay.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn update_index(&self, found: Index, gone: &[IndexKey]) -> Result<(), MetaError> {
        let transaction = self.pools.begin().await?;
        index::update(&transaction, found, gone).await?;
        Ok(transaction.commit().await?)
    }

    /// The last entries of the audit log, newest first.
    ///
    /// # Errors
    /// As for every method.
    pub async fn audit(&self, limit: u64) -> Result<Vec<AuditRow>, MetaError> {
        events::audit(&self.pools.reader, limit).await
    }

    /// Closes all connections; SQLite's write-ahead log is folded into its file.
    pub async fn close(&self) {
        // A close that fails leaves nothing to be done: the connections end with the process.
        let _ = self.pools.reader.close_by_ref().await;
        let _ = self.pools.writer.close_by_ref().await;
    }
}
