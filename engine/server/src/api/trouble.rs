//! What is wrong with the machinery: files, triggers, queues, destinations. None of it shows as a failed run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use twinloom_meta::{EventFilter, EventRow, Meta, event};
use twinloom_runtime::{dags::DagEntry, service::QueueSource, triggers::Condition};
use utoipa::ToSchema;

use crate::{http::problem::Answer, state::Shared};

/// Failures that are looked for in the whole log, newest first.
const MOST: u64 = 200;
/// Events read at a time, and how far behind the log one may be to read on in it rather than search it.
const PAGE: u64 = 1000;
const FAR: i64 = 20_000;

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

/// The newest failure of each trigger, as far as the log has been read: it has no index by kind.
#[derive(Debug, Default)]
pub struct Failures {
    read: Mutex<Read>,
}

#[derive(Debug, Default)]
struct Read {
    cursor: Option<i64>,
    newest: BTreeMap<(String, String), TriggerFailure>,
}

impl Failures {
    /// Failures from then on, newest first, of triggers that are still there and have started no run since.
    ///
    /// # Errors
    /// What the database says.
    pub async fn since(&self, meta: &Meta, since: Timestamp) -> Answer<Vec<TriggerFailure>> {
        let mut read = self.read.lock().await;
        read.catch_up(meta).await?;
        read.newest.retain(|_, failure| failure.at >= since);
        let mut found: Vec<TriggerFailure> = read.newest.values().cloned().collect();
        drop(read);
        if !found.is_empty() {
            let triggers = meta.triggers(None).await?;
            found.retain(|failure| {
                let row = triggers
                    .iter()
                    .find(|row| row.dag == failure.dag && row.id == failure.trigger);
                row.is_some_and(|row| row.last_fired_at.is_none_or(|fired| fired < failure.at))
            });
        }
        found.sort_by_key(|failure| std::cmp::Reverse(failure.event));
        Ok(found)
    }
}

impl Read {
    async fn catch_up(&mut self, meta: &Meta) -> Answer<()> {
        let last = meta.last_event().await?;
        let near = self.cursor.filter(|cursor| last - cursor < FAR);
        let Some(mut cursor) = near else {
            let filter = EventFilter {
                kind: Some(event::TRIGGER_FAILED.to_owned()),
                limit: MOST,
                ..EventFilter::default()
            };
            let found = meta.events(&filter).await?;
            found.into_iter().rev().for_each(|row| self.take(row));
            self.cursor = Some(last);
            return Ok(());
        };
        while cursor < last {
            let page = meta.events_after(cursor, PAGE).await?;
            let Some(end) = page.last().map(|row| row.id) else {
                break;
            };
            cursor = end;
            page.into_iter().for_each(|row| self.take(row));
            self.cursor = Some(cursor);
        }
        Ok(())
    }

    fn take(&mut self, row: EventRow) {
        if row.kind != event::TRIGGER_FAILED {
            return;
        }
        let text = |key: &str| {
            let value = row.payload.get(key).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let failure = TriggerFailure {
            event: row.id,
            trigger: text("trigger"),
            reason: text("reason"),
            at: row.at,
            dag: row.subject,
        };
        self.newest
            .insert((failure.dag.clone(), failure.trigger.clone()), failure);
    }
}
