//! The handle.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use crate::{
    AliasIndexRow, ApprovalRow, ArtifactRow, AttemptRow, AuditRow, CacheRow, Change, DatasetIndexRow,
    DecisionRow, EventRow, Index, MetaError, MetricPoint, ModelIndexRow, RunFilter, RunHead, RunRow, TaskRow,
};

/// A connection to the metadata database. Clones share it.
#[derive(Clone)]
pub struct Meta;
impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meta")
    }
}
#[allow(unused, clippy::todo, clippy::unused_async, reason = "signatures first")]
impl Meta {
    /// Opens (and creates) `sqlite://PATH`, `sqlite::memory:` or `postgres://…`, and brings its tables up to date.
    ///
    /// # Errors
    /// `meta.invalid_url`, `meta.connect`, `meta.too_new`.
    pub async fn connect(url: &str) -> Result<Self, MetaError> {
        todo!()
    }
    /// Writes all changes in one transaction, or none. `fence` names runs with the epoch that they must still have.
    ///
    /// # Errors
    /// `meta.fenced`, `meta.exists`, `meta.not_writable`, `meta.busy`.
    pub async fn apply(&self, changes: Vec<Change>, fence: &[(String, i64)]) -> Result<(), MetaError> {
        todo!()
    }
    /// Takes a run over: its new epoch, or none where its epoch is not `expected_epoch` any more.
    pub async fn claim_run(
        &self,
        id: &str,
        owner: &str,
        expected_epoch: i64,
        lease_until: Timestamp,
    ) -> Result<Option<i64>, MetaError> {
        todo!()
    }
    /// Prolongs the leases of all unfinished runs of an owner; the number of them.
    pub async fn renew_leases(&self, owner: &str, until: Timestamp) -> Result<u64, MetaError> {
        todo!()
    }
    /// Gives up the leases of all unfinished runs of an owner, so that another may claim them at once.
    pub async fn release(&self, owner: &str) -> Result<u64, MetaError> {
        todo!()
    }
    /// A run by id or unique prefix of it (letters in any case).
    pub async fn run(&self, id: &str) -> Result<RunRow, MetaError> {
        todo!()
    }
    /// Runs, newest first.
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunHead>, MetaError> {
        todo!()
    }
    /// Tasks of a run in the plan's order.
    pub async fn tasks(&self, run: &str) -> Result<Vec<TaskRow>, MetaError> {
        todo!()
    }
    /// One task.
    pub async fn task(&self, run: &str, id: &str) -> Result<TaskRow, MetaError> {
        todo!()
    }
    /// Attempts of a run, or of one of its tasks, in order.
    pub async fn attempts(&self, run: &str, task: Option<&str>) -> Result<Vec<AttemptRow>, MetaError> {
        todo!()
    }
    /// Attempts that have not ended, of a run or of all.
    pub async fn open_attempts(&self, run: Option<&str>) -> Result<Vec<AttemptRow>, MetaError> {
        todo!()
    }
    /// What a run published.
    pub async fn artifacts(&self, run: &str) -> Result<Vec<ArtifactRow>, MetaError> {
        todo!()
    }
    /// Points of curves of a run, or of one of its tasks, in order.
    pub async fn metrics(&self, run: &str, task: Option<&str>) -> Result<Vec<MetricPoint>, MetaError> {
        todo!()
    }
    /// Events with a greater id, in order.
    pub async fn events_after(&self, cursor: i64, limit: u64) -> Result<Vec<EventRow>, MetaError> {
        todo!()
    }
    /// The id of the last event; 0 before the first.
    pub async fn last_event(&self) -> Result<i64, MetaError> {
        todo!()
    }
    /// Questions that nobody has answered, of a run or of all.
    pub async fn open_approvals(&self, run: Option<&str>) -> Result<Vec<ApprovalRow>, MetaError> {
        todo!()
    }
    /// The last decision on a task.
    pub async fn decision(&self, run: &str, task: &str) -> Result<Option<DecisionRow>, MetaError> {
        todo!()
    }
    /// All decisions of a run, in order.
    pub async fn decisions(&self, run: &str) -> Result<Vec<DecisionRow>, MetaError> {
        todo!()
    }
    /// The result under a cache key.
    pub async fn cache(&self, key: &str) -> Result<Option<CacheRow>, MetaError> {
        todo!()
    }
    /// The results under any of these cache keys.
    pub async fn caches(&self, keys: &[String]) -> Result<BTreeMap<String, CacheRow>, MetaError> {
        todo!()
    }
    /// Dataset versions by name and number; of one dataset where a name is given.
    pub async fn dataset_index(&self, name: Option<&str>) -> Result<Vec<DatasetIndexRow>, MetaError> {
        todo!()
    }
    /// Model versions by name and number; of one model where a name is given.
    pub async fn model_index(&self, name: Option<&str>) -> Result<Vec<ModelIndexRow>, MetaError> {
        todo!()
    }
    /// Tags and aliases; of one dataset or model where a name is given.
    pub async fn alias_index(&self, name: Option<&str>) -> Result<Vec<AliasIndexRow>, MetaError> {
        todo!()
    }
    /// Puts a new index in place of the old one, in one transaction.
    pub async fn replace_index(&self, index: Index) -> Result<(), MetaError> {
        todo!()
    }
    /// The last entries of the audit log, newest first.
    pub async fn audit(&self, limit: u64) -> Result<Vec<AuditRow>, MetaError> {
        todo!()
    }
    /// Closes all connections; SQLite's write-ahead log is folded into its file.
    pub async fn close(&self) {
        todo!()
    }
}
