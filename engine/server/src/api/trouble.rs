//! What is wrong with the machinery: files, triggers, queues, destinations. None of it shows as a failed run.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinloom_meta::{EventFilter, EventRow, TriggerRow, event};
use twinloom_runtime::{dags::DagEntry, service::QueueSource, triggers::Condition};
use utoipa::ToSchema;

use crate::{
    http::{page, problem::Answer},
    state::Shared,
};

/// Pages of failures that are looked through: a trigger that fails at every message hides older ones of others in the end,
/// and costs no more.
const MOST_PAGES: usize = 10;

/// A DAG file with errors.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BrokenDag {
    /// The DAG.
    pub dag: String,
    /// Its file.
    pub path: String,
    /// How many errors.
    pub errors: usize,
    /// The first.
    pub message: String,
    /// The file that the first is in: the DAG's own, or one of a pipeline.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
    /// Whether an earlier text without errors stays in force.
    pub in_force: bool,
}

/// A trigger that could not start a run.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TriggerFailure {
    /// The event that says so.
    pub event: i64,
    /// The DAG.
    pub dag: String,
    /// The trigger.
    pub trigger: String,
    /// Why, in words.
    pub reason: String,
    /// When it was last so.
    pub at: Timestamp,
}

/// A queue from which no message can come.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LostQueue {
    /// The queue.
    pub name: String,
    /// The DAGs that listen to it.
    pub dags: Vec<String>,
    /// Why.
    pub error: String,
    /// Since when.
    pub since: Timestamp,
}

/// A destination that could not be told.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FailingDestination {
    /// Its name.
    pub name: String,
    /// Why the last notification failed.
    pub error: String,
    /// When it is tried again; none where that notification was given up.
    pub next_at: Option<Timestamp>,
}

/// DAG files with errors.
pub fn broken(app: &Shared) -> Vec<BrokenDag> {
    let item = |entry: DagEntry| {
        let first = entry.diagnostics.first()?;
        Some(BrokenDag {
            errors: entry.diagnostics.len(),
            message: first.message.clone(),
            file: first.file.clone(),
            line: first.line,
            in_force: entry.dag.is_some(),
            path: entry.path.display().to_string(),
            dag: entry.name,
        })
    };
    let entries = app.service.dags().entries();
    entries.into_iter().filter_map(item).collect()
}

/// Queues that are not connected.
pub fn queues(app: &Shared) -> Vec<LostQueue> {
    let entries = app.service.dags().entries();
    let listening = |source: &QueueSource| {
        let is_it = |condition: &Condition| matches!(condition, Condition::Queue(queue) if queue.name == source.name && queue.url == source.url);
        let listens = |entry: &&DagEntry| entry.dag.iter().any(|dag| Condition::of(dag).iter().any(is_it));
        let listeners = entries.iter().filter(|entry| !entry.paused).filter(listens);
        listeners.map(|entry| entry.name.clone()).collect()
    };
    let states = app.service.queue_states().into_iter();
    let lost = states.filter(|(_, state)| !state.connected);
    lost.map(|(source, state)| LostQueue {
        dags: listening(&source),
        name: source.name,
        error: state.error.unwrap_or_default(),
        since: state.since,
    })
    .collect()
}

/// Destinations of which the last notification failed.
///
/// # Errors
/// What the database says.
pub async fn destinations(app: &Shared) -> Answer<Vec<FailingDestination>> {
    let rows = app.meta.destinations().await?;
    let failing = rows.into_iter().filter_map(|row| {
        Some(FailingDestination {
            name: row.name,
            error: row.last_error?,
            next_at: row.next_at,
        })
    });
    Ok(failing.collect())
}

/// The newest failures from then on of triggers that are still there and have started no run since, newest first.
///
/// # Errors
/// What the database says.
pub async fn failures(app: &Shared, since: Timestamp) -> Answer<Vec<TriggerFailure>> {
    let mut triggers = app.meta.triggers(None).await?;
    let mut filter = EventFilter {
        kind: Some(event::TRIGGER_FAILED.to_owned()),
        limit: page::MOST,
        ..EventFilter::default()
    };
    let mut found = Vec::new();
    for _ in 0..MOST_PAGES {
        let rows = app.meta.events(&filter).await?;
        filter.before = rows.last().map(|row| row.id);
        let all = rows.len() as u64 == page::MOST && rows.iter().all(|row| row.at >= since);
        for failure in rows.into_iter().filter(|row| row.at >= since).map(failure) {
            let of = |row: &TriggerRow| row.dag == failure.dag && row.id == failure.trigger;
            // Each trigger once: what is older of it counts no more.
            let Some(place) = triggers.iter().position(of) else {
                continue;
            };
            let row = triggers.swap_remove(place);
            if row.last_fired_at.is_none_or(|fired| fired < failure.at) {
                found.push(failure);
            }
        }
        if !all || triggers.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn failure(row: EventRow) -> TriggerFailure {
    let text = |key: &str| {
        let value = row.payload.get(key).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    TriggerFailure {
        event: row.id,
        trigger: text("trigger"),
        reason: text("reason"),
        at: row.at,
        dag: row.subject,
    }
}
