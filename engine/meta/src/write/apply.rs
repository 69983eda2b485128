//! One transaction out of many changes.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use serde_json::{Map, Value};

use super::{
    batch::{Batch, Mode, parameter},
    cells::Cells,
    guards::Guard,
    sql,
    tables::{
        ALIASES, APPROVALS, ARTIFACTS, ATTEMPTS, AUDIT_LOG, CACHE_ENTRIES, DAG_STATES, DATASET_VERSIONS,
        DECISIONS, EVENTS, METRIC_POINTS, MODEL_VERSIONS, RUN_DOCUMENTS, RUNS, SEEN_KEYS, TASKS,
        TRIGGER_DECISIONS, TRIGGERS,
    },
};
use crate::{Change, MetaError, write::rows};

/// Changes sorted by table, in the order of writing.
pub struct Batches {
    insert_runs: Batch,
    insert_documents: Batch,
    insert_tasks: Batch,
    insert_attempts: Batch,
    update_runs: Batch,
    update_tasks: Batch,
    update_attempts: Batch,
    artifacts: Batch,
    metrics: Batch,
    cache: Batch,
    open_approvals: Batch,
    close_approvals: Batch,
    decisions: Batch,
    datasets: Batch,
    models: Batch,
    aliases: Batch,
    audit: Batch,
    triggers: Batch,
    trigger_decisions: Batch,
    dag_states: Batch,
    seen: Batch,
    guards: Vec<Guard>,
    events: Batch,
}

impl Batches {
    pub fn new(changes: &[Change]) -> Self {
        let mut batches = Self {
            insert_runs: Batch::new(&RUNS, Mode::Insert),
            insert_documents: Batch::new(&RUN_DOCUMENTS, Mode::Insert),
            insert_tasks: Batch::new(&TASKS, Mode::Insert),
            insert_attempts: Batch::new(&ATTEMPTS, Mode::Replace),
            update_runs: Batch::new(&RUNS, Mode::Update),
            update_tasks: Batch::new(&TASKS, Mode::Update),
            update_attempts: Batch::new(&ATTEMPTS, Mode::Update),
            artifacts: Batch::new(&ARTIFACTS, Mode::Replace),
            metrics: Batch::new(&METRIC_POINTS, Mode::Insert),
            cache: Batch::new(&CACHE_ENTRIES, Mode::Replace),
            open_approvals: Batch::new(&APPROVALS, Mode::Replace),
            close_approvals: Batch::new(&APPROVALS, Mode::Update),
            decisions: Batch::new(&DECISIONS, Mode::Insert),
            datasets: Batch::new(&DATASET_VERSIONS, Mode::Replace),
            models: Batch::new(&MODEL_VERSIONS, Mode::Replace),
            aliases: Batch::new(&ALIASES, Mode::Replace),
            audit: Batch::new(&AUDIT_LOG, Mode::Insert),
            triggers: Batch::new(&TRIGGERS, Mode::Insert),
            trigger_decisions: Batch::new(&TRIGGER_DECISIONS, Mode::Replace),
            dag_states: Batch::new(&DAG_STATES, Mode::Replace),
            seen: Batch::new(&SEEN_KEYS, Mode::Insert),
            guards: Vec::new(),
            events: Batch::new(&EVENTS, Mode::Insert),
        };
        for change in changes {
            batches.add(change);
        }
        batches
    }

    fn add(&mut self, change: &Change) {
        match change {
            Change::InsertRun(run) => {
                self.insert_runs.push(rows::run(run));
                self.insert_documents.push(rows::run_document(run));
            }
            Change::UpdateRun(update) => self.update_runs.push(rows::run_update(update)),
            Change::InsertTasks(tasks) => tasks
                .iter()
                .for_each(|task| self.insert_tasks.push(rows::task(task))),
            Change::UpdateTask(update) => self.update_tasks.push(rows::task_update(update)),
            Change::InsertAttempt(attempt) => self.insert_attempts.push(rows::attempt(attempt)),
            Change::AttemptProcess(process) => self.update_attempts.push(rows::attempt_process(process)),
            Change::EndAttempt(end) => self.update_attempts.push(rows::attempt_close(end)),
            Change::Artifact(artifact) => self.artifacts.push(rows::artifact(artifact)),
            Change::Event(event) => self.events.push(rows::event(event)),
            Change::OpenApproval(approval) => self.open_approvals.push(rows::approval(approval)),
            Change::CloseApproval {
                run,
                task,
                at,
                outcome,
            } => self.close_approvals.push(
                Cells::default()
                    .text("run", run)
                    .text("task", task)
                    .time("closed_at", *at)
                    .text("outcome", outcome),
            ),
            Change::Decide(decision) => self.decisions.push(rows::decision(decision)),
            Change::Metrics(points) => points
                .iter()
                .for_each(|point| self.metrics.push(rows::metric(point))),
            Change::Cache(entry) => self.cache.push(rows::cache(entry)),
            Change::IndexDataset(version) => self.datasets.push(rows::dataset(version)),
            Change::IndexModel(version) => self.models.push(rows::model(version)),
            Change::IndexAlias(alias) => self.aliases.push(rows::alias(alias)),
            Change::Audit(entry) => self.audit.push(rows::audit(entry)),
            Change::CountApproval { run, task, given } => {
                self.guards.push(Guard::approval(run, task, *given));
            }
            Change::RegisterTrigger(row) => self.triggers.push(rows::trigger(row)),
            Change::AdvanceTrigger(advance) => self.guards.push(Guard::trigger(advance)),
            Change::RemoveTrigger { dag, id } => self.guards.push(Guard::removal(dag, id)),
            Change::TriggerDecision(row) => self.trigger_decisions.push(rows::trigger_decision(row)),
            Change::DagState(row) => self.dag_states.push(rows::dag_state(row)),
            Change::Seen { scope, key, at } => self.seen.push(
                Cells::default()
                    .text("scope", scope)
                    .text("key", key)
                    .time("at", *at),
            ),
        }
    }

    /// Writes all; the id of the last event, where there was one.
    pub async fn write(mut self, transaction: &DatabaseTransaction) -> Result<Option<i64>, MetaError> {
        let events = self.events.len();
        // First, because they may fail the rest.
        for guard in self.guards {
            guard.write(transaction).await?;
        }
        for batch in [
            self.insert_runs,
            self.insert_documents,
            self.insert_tasks,
            self.insert_attempts,
            self.update_runs,
            self.update_tasks,
            self.update_attempts,
            self.artifacts,
            self.metrics,
            self.cache,
            self.open_approvals,
            self.close_approvals,
            self.decisions,
            self.datasets,
            self.models,
            self.aliases,
            self.audit,
            self.triggers,
            self.trigger_decisions,
            self.dag_states,
            self.seen,
        ] {
            batch.write(transaction).await?;
        }
        // Last, because the counter's lock is held until the commit, and all writers of events wait for it.
        if events == 0 {
            return Ok(None);
        }
        let first = next_events(transaction, events).await?;
        self.events.number("id", first);
        self.events.write(transaction).await?;
        Ok(Some(first + i64::try_from(events).unwrap_or(i64::MAX) - 1))
    }
}

/// Checks that every run still has its epoch, and keeps others from claiming it until the transaction ends.
pub async fn check_fence(
    transaction: &DatabaseTransaction,
    fence: &[(String, i64)],
) -> Result<(), MetaError> {
    if fence.is_empty() {
        return Ok(());
    }
    let backend = transaction.get_database_backend();
    let wanted: Vec<Map<String, Value>> = fence
        .iter()
        .map(|(id, epoch)| Cells::default().text("id", id).int("epoch", *epoch).0)
        .collect();
    let statement = Statement::from_sql_and_values(backend, sql::fence(backend), [parameter(wanted).into()]);
    let mut held = HashSet::new();
    for row in transaction.query_all_raw(statement).await? {
        held.insert(row.try_get_by_index::<String>(0)?);
    }
    match fence.iter().find(|(id, _)| !held.contains(id)) {
        Some((id, _)) => Err(MetaError::Fenced { run: id.clone() }),
        None => Ok(()),
    }
}

/// Reserves event ids; the first of them.
async fn next_events(transaction: &DatabaseTransaction, count: usize) -> Result<i64, MetaError> {
    let backend = transaction.get_database_backend();
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(
        backend,
        "UPDATE counters SET value = value + $1 WHERE name = 'events' RETURNING value",
        [count.into()],
    );
    let row = transaction.query_one_raw(statement).await?;
    let missing = || MetaError::Corrupt {
        place: "counters.events".to_owned(),
        reason: "the row is gone".to_owned(),
    };
    let last: i64 = row.ok_or_else(missing)?.try_get_by_index(0)?;
    Ok(last - count + 1)
}
