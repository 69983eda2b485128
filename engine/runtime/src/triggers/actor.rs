//! The one task that reads the log for all triggers.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{broadcast, mpsc, oneshot};
use twinloom_meta::{EventRow, Meta, MetaError};
use twinloom_store::ArtifactKind;

use super::{condition::Condition, fire, live::Live, seen::Seen};
use crate::{
    Engine, EngineError,
    dags::DagFolder,
    service::{Freshness, TriggerStatus},
};

/// Events read at a time.
const PAGE: u64 = 1000;
/// How far a row may be behind its machine, in events, before it is moved without a run.
const SLACK: i64 = 2000;
/// Decisions that start nothing are written together, at most so often.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// Triggers that start runs at the same time.
const AT_ONCE: usize = 16;
/// A run that could not be started for a passing reason is tried again after this.
const AGAIN: SignedDuration = SignedDuration::from_secs(2);

/// A trigger's DAG and id.
pub type Key = (String, String);

/// What others ask.
pub enum Command {
    /// Say that it is there.
    Ping(oneshot::Sender<()>),
    /// Say when all that was written before is dealt with, as far as store and database tell.
    Settle(oneshot::Sender<()>),
    /// The same, and write what was decided.
    Flush(oneshot::Sender<()>),
    /// The triggers of a DAG.
    Status {
        dag: String,
        reply: oneshot::Sender<Vec<TriggerStatus>>,
    },
    /// Deadlines of datasets.
    Freshness { reply: oneshot::Sender<Vec<Freshness>> },
}

/// All triggers of a folder of DAGs.
pub struct Triggers {
    pub(super) engine: Engine,
    pub(super) dags: DagFolder,
    pub(super) live: BTreeMap<Key, Live>,
    /// Every trigger has taken in every event up to here.
    pub(super) cursor: i64,
    pub(super) generation: Option<u64>,
    events: broadcast::Sender<EventRow>,
    /// Listeners have been told every event up to here.
    told: i64,
    poll_every: Duration,
    written_at: Instant,
}

impl Triggers {
    /// Reads where the triggers stand.
    pub async fn start(
        engine: Engine,
        dags: DagFolder,
        events: broadcast::Sender<EventRow>,
        poll_every: Duration,
    ) -> Result<Self, EngineError> {
        let told = engine.config().meta.last_event().await?;
        let mut triggers = Self {
            engine,
            dags,
            live: BTreeMap::new(),
            cursor: told,
            generation: None,
            events,
            told,
            poll_every,
            written_at: Instant::now(),
        };
        triggers.sync().await?;
        Ok(triggers)
    }

    /// Reads, decides and starts runs until nobody can ask any more.
    pub async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        let mut written = self.meta().watch_events();
        let mut files = self.dags.subscribe();
        let clock = std::sync::Arc::clone(&self.engine.config().clock);
        loop {
            // What is written from here on wakes the next round.
            written.mark_unchanged();
            files.mark_unchanged();
            // What could not be done is not done again at once.
            let due = match self.round().await {
                true => self.next_due(),
                false => None,
            };
            let sleep = async {
                match due {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.command(command).await,
                    None => break,
                },
                Ok(()) = written.changed() => {}
                Ok(()) = files.changed() => {}
                () = sleep => {}
                () = tokio::time::sleep(self.poll_every) => {}
            }
        }
    }

    pub(super) fn meta(&self) -> &Meta {
        &self.engine.config().meta
    }

    async fn command(&mut self, command: Command) {
        // Whether it is there does not wait for another look at the log.
        if !matches!(command, Command::Ping(_)) {
            self.round().await;
        }
        // Whoever asked may be gone.
        match command {
            Command::Ping(reply) | Command::Settle(reply) => drop(reply.send(())),
            Command::Flush(reply) => {
                self.checkpoint(true).await;
                let _ = reply.send(());
            }
            Command::Status { dag, reply } => drop(reply.send(self.status(&dag))),
            Command::Freshness { reply } => drop(reply.send(self.freshness().await)),
        }
    }

    /// Takes in what is new and does what follows; whether all of it. What fails is tried again in the next round.
    async fn round(&mut self) -> bool {
        let done = self.try_round().await;
        if let Err(error) = &done {
            tracing::warn!(%error, "triggers could not take everything in; trying again");
        }
        self.checkpoint(false).await;
        done.is_ok()
    }

    async fn try_round(&mut self) -> Result<(), EngineError> {
        if self.generation != Some(*self.dags.subscribe().borrow()) {
            self.sync().await?;
        }
        loop {
            let page = self.meta().events_after(self.cursor, PAGE).await?;
            let full = page.len() as u64 == PAGE;
            let taken = self.take_in_all(page).await;
            let now = self.engine.now();
            for live in self.live.values_mut() {
                // A schedule asks only the clock; the others have to see what comes first.
                let is_due = match taken {
                    Ok(()) => !full,
                    Err(_) => matches!(live.machine.condition, Condition::Schedule(_)),
                };
                if is_due {
                    live.tick(now);
                }
            }
            let again = self.start_runs().await?;
            if taken.is_err() {
                // Deadlines are kept whatever the store does.
                self.raise_alerts().await?;
                return taken;
            }
            if !full && !again {
                break;
            }
        }
        self.raise_alerts().await
    }

    /// Takes events in up to the first whose figures the store does not tell now: that one comes again.
    async fn take_in_all(&mut self, page: Vec<EventRow>) -> Result<(), EngineError> {
        let mut taken = Ok(());
        for row in page {
            taken = self.take_in(row).await;
            if taken.is_err() {
                break;
            }
        }
        for live in self.live.values_mut() {
            live.cursor = live.cursor.max(self.cursor);
        }
        taken
    }

    async fn take_in(&mut self, row: EventRow) -> Result<(), EngineError> {
        let live = &self.live;
        let judged = |kind: ArtifactKind, name: &str, label: &str| {
            let mut waiting = live.values().filter(|live| live.cursor < row.id);
            waiting.any(|live| live.machine.condition.judges(kind, name, label))
        };
        if let Some(seen) = Seen::of(&row, &self.engine, judged).await? {
            for live in self.live.values_mut().filter(|live| live.cursor < row.id) {
                live.observe(&seen);
            }
        }
        self.cursor = row.id;
        if row.id > self.told {
            self.told = row.id;
            // Nobody may be listening.
            let _ = self.events.send(row);
        }
        Ok(())
    }

    /// Starts the runs that are pending, those of one trigger one after another; whether the log has to be read again.
    async fn start_runs(&mut self) -> Result<bool, EngineError> {
        let now = self.engine.now();
        let ready: Vec<Key> = self
            .live
            .iter()
            .filter(|(_, live)| !live.pending.is_empty() && live.not_before.is_none_or(|at| at <= now))
            .map(|(key, _)| key.clone())
            .collect();
        // Owned while they fire, so that they can at the same time.
        let mut firing = Vec::with_capacity(ready.len());
        for key in ready {
            if let Some(live) = self.live.remove(&key) {
                firing.push(fire::all(self.engine.clone(), self.dags.clone(), live).boxed());
            }
        }
        let mut outcomes = Vec::with_capacity(firing.len());
        let mut fired = stream::iter(firing).buffer_unordered(AT_ONCE);
        while let Some((live, outcome)) = fired.next().await {
            let key = (live.row.dag.clone(), live.row.id.clone());
            self.live.insert(key.clone(), live);
            outcomes.push((key, outcome));
        }
        let mut again = false;
        for (key, outcome) in outcomes {
            match outcome {
                fire::Outcome::Done => {}
                fire::Outcome::Later => {
                    if let Some(live) = self.live.get_mut(&key) {
                        live.not_before = now.checked_add(AGAIN).ok();
                    }
                }
                fire::Outcome::Moved => {
                    self.read_again(&key).await?;
                    again = true;
                }
            }
        }
        Ok(again)
    }

    /// Another scheduler moved a trigger: it goes on from where that one left it.
    pub(super) async fn read_again(&mut self, key: &Key) -> Result<(), EngineError> {
        let rows = self.meta().triggers(Some(&key.0)).await?;
        match rows.into_iter().find(|row| row.id == key.1) {
            Some(row) => {
                self.cursor = self.cursor.min(row.cursor);
                self.live.insert(key.clone(), Live::new(row)?);
            }
            None => drop(self.live.remove(key)),
        }
        Ok(())
    }

    /// Writes decisions that started nothing, and moves rows that are far behind.
    async fn checkpoint(&mut self, now: bool) {
        if !now && self.written_at.elapsed() < CHECKPOINT {
            return;
        }
        self.written_at = Instant::now();
        let slack = if now { 0 } else { SLACK };
        let dirty: Vec<Key> = self
            .live
            .iter()
            .filter(|(_, live)| live.is_dirty(slack))
            .map(|(key, _)| key.clone())
            .collect();
        for key in dirty {
            let Some(live) = self.live.get(&key) else { continue };
            let advance = live.advance(&live.machine.state, live.cursor, None);
            match self.meta().apply(live.checkpoint(), &[]).await {
                Ok(()) => {
                    if let Some(live) = self.live.get_mut(&key) {
                        live.decisions.clear();
                        live.advanced(advance);
                    }
                }
                Err(MetaError::Superseded { .. }) => {
                    if let Err(error) = self.read_again(&key).await {
                        tracing::warn!(%error, "a trigger could not be read again");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "decisions of triggers were not written; trying again");
                    return;
                }
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let due = |live: &Live| match live.pending.is_empty() {
            true => live.machine.due_at(),
            false => live.not_before,
        };
        self.live.values().filter_map(due).min()
    }
}
