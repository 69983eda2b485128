//! What other processes leave in the database for this one: decisions, and wishes to stop a run.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use jiff::Timestamp;
use twinloom_meta::{DecisionRow, EventRow};

use super::{CancelRequest, Dispatcher, Input, Shared, run::Phase, timers::Timer};
use crate::answers;

/// The event by which another process asks a run's owner to stop it; its subject is the run.
pub const CANCEL_REQUESTED: &str = "run.cancel_requested";

/// How long a silent scheduler is taken to be alive.
pub const LEASE: Duration = Duration::from_secs(30);

/// How often decisions are looked for while a task waits.
const WAITING: Duration = Duration::from_millis(250);

/// How often wishes to stop are looked for while a run is active.
const ACTIVE: Duration = Duration::from_millis(500);

/// Events read at a time.
const EVENTS_AT_ONCE: u64 = 1000;

/// Where the polling stands. Nothing is polled while no run is active.
#[derive(Default)]
pub struct Poll {
    armed: bool,
    in_flight: bool,
    cursor: Option<i64>,
    wanted: bool,
}

impl Poll {
    /// Looks with the next message rather than with the next tick.
    pub fn now(&mut self) {
        self.wanted = true;
    }
}

impl Dispatcher {
    /// Sets the next tick while there is something to look for.
    pub fn keep_polling(&mut self, now: Timestamp) {
        if self.runs.is_empty() || self.core.stopping.is_some() {
            // Events of the time without runs concern none that comes later.
            self.core.poll.cursor = None;
            return;
        }
        if std::mem::take(&mut self.core.poll.wanted) {
            self.poll();
        }
        if !self.core.poll.armed && !self.core.poll.in_flight {
            let period = if self.runs.values().any(super::Run::has_waiting) {
                WAITING
            } else {
                ACTIVE
            };
            let at = now.checked_add(period).unwrap_or(Timestamp::MAX);
            self.core.poll.armed = true;
            self.core.timers.set(at, Timer::Poll);
        }
    }

    /// Writes points of curves that have gathered, and looks into the database.
    pub fn poll(&mut self) {
        self.core.poll.armed = false;
        for run in self.runs.values().filter(|run| !run.metrics.is_empty()) {
            self.core.touched.insert(Arc::clone(&run.key));
        }
        if std::mem::replace(&mut self.core.poll.in_flight, true) {
            return;
        }
        let (shared, cursor) = (Arc::clone(&self.core.shared), self.core.poll.cursor);
        let waiting: Vec<String> = self
            .runs
            .values()
            .filter(|run| run.has_waiting())
            .map(|run| run.key.to_string())
            .collect();
        tokio::spawn(async move {
            let (decisions, cancels, cursor) = match look(&shared, &waiting, cursor).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "the database could not be asked for decisions");
                    (Vec::new(), Vec::new(), cursor.unwrap_or_default())
                }
            };
            shared.send(Input::Found {
                decisions,
                cancels,
                cursor,
            });
        });
    }

    /// What was found.
    pub fn found(&mut self, decisions: Vec<DecisionRow>, cancels: Vec<CancelRequest>, cursor: i64) {
        self.core.poll.in_flight = false;
        self.core.poll.cursor = Some(cursor);
        let mut answered: Vec<(String, String)> = decisions
            .iter()
            .map(|row| (row.run.clone(), row.task.clone()))
            .collect();
        answered.sort();
        answered.dedup();
        for (run, task) in answered {
            let Some(run) = self.runs.get_mut(run.as_str()) else {
                continue;
            };
            let Some(index) = run.index_of(&task) else {
                continue;
            };
            let waiting = &run.tasks[index];
            let Some(approval) = waiting
                .approval
                .as_ref()
                .filter(|_| waiting.phase == Phase::Waiting)
            else {
                continue;
            };
            let asked = approval.opened_at.as_microsecond();
            let given: Vec<DecisionRow> = decisions
                .iter()
                .filter(|row| *row.run == *run.key && row.task == task && row.at.as_microsecond() >= asked)
                .cloned()
                .collect();
            if let Some(decision) = answers::verdict(answers::required(&approval.request), &given) {
                self.core.decided(run, index, decision);
                self.core.touched.insert(Arc::clone(&run.key));
            }
        }
        for request in cancels {
            let (reply, _) = tokio::sync::oneshot::channel();
            self.cancel(&request.run, &request.by, &request.reason, reply);
        }
    }
}

async fn look(
    shared: &Shared,
    waiting: &[String],
    cursor: Option<i64>,
) -> Result<(Vec<DecisionRow>, Vec<CancelRequest>, i64), twinloom_meta::MetaError> {
    let meta = &shared.config.meta;
    let mut decisions = Vec::new();
    for run in waiting {
        decisions.extend(meta.decisions(run).await?);
    }
    let mut cursor = match cursor {
        Some(cursor) => cursor,
        None => return Ok((decisions, Vec::new(), meta.last_event().await?)),
    };
    let mut cancels = Vec::new();
    loop {
        let events = meta.events_after(cursor, EVENTS_AT_ONCE).await?;
        let Some(last) = events.last() else { break };
        cursor = last.id;
        let full = events.len() as u64 == EVENTS_AT_ONCE;
        cancels.extend(
            events
                .into_iter()
                .filter(|event| event.kind == CANCEL_REQUESTED)
                .map(request),
        );
        if !full {
            break;
        }
    }
    Ok((decisions, cancels, cursor))
}

fn request(event: EventRow) -> CancelRequest {
    let text = |key: &str| {
        event
            .payload
            .get(key)
            .and_then(|text| text.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    CancelRequest {
        by: text("by"),
        reason: text("reason"),
        run: event.subject,
    }
}

/// Prolongs the leases of this engine's runs until it is stopped.
pub async fn keep_leases(shared: Arc<Shared>) {
    loop {
        let now = shared.now();
        let next = now.checked_add(LEASE / 3).unwrap_or(Timestamp::MAX);
        shared.config.clock.sleep_until(next).await;
        if shared.active.load(Ordering::Relaxed) == 0 {
            continue;
        }
        let until = shared.now().checked_add(LEASE).unwrap_or(Timestamp::MAX);
        match shared
            .config
            .meta
            .renew_leases(&shared.owner.to_string(), until)
            .await
        {
            Ok(_) => shared.leased(until),
            Err(error) => tracing::warn!(%error, "leases were not prolonged"),
        }
    }
}
