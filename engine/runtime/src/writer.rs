//! Commits transitions. What waits while a transaction is under way goes into the next one together.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};
use twinloom_meta::{Change, MetaError, RunState};

use crate::{
    EngineError, EngineEvent,
    dispatcher::{Input, Launch, RunKey, Shared, attempt},
    executor::AttemptEnd,
    failpoint, prepare,
};

/// How long a database that fails is tried again before runs are given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Transitions of one run that belong together, and what follows from them.
pub struct Batch {
    /// The run.
    pub run: RunKey,
    /// The epoch under which they may be written; none for a run that nobody else can know yet.
    pub epoch: i64,
    /// The rows.
    pub changes: Vec<Change>,
    /// What is done once they stand.
    pub after: Vec<After>,
}

/// What is done once a transition is committed.
pub enum After {
    /// Prepare tasks whose needs have ended: what those left in the cache stands now.
    Prepare(Vec<prepare::Job>),
    /// Start an attempt.
    Launch(Box<Launch>),
    /// Tell listeners.
    Emit(EngineEvent),
    /// Tell the caller.
    Reply(oneshot::Sender<Result<(), EngineError>>),
    /// Tell the dispatcher that the run's state stands.
    State(RunState),
    /// Pass a fail-point.
    FailPoint(&'static str),
}

/// Takes batches until nobody can send any.
pub async fn run(shared: Arc<Shared>, mut batches: mpsc::UnboundedReceiver<Batch>) {
    let mut waiting = Vec::new();
    let mut lost = HashSet::new();
    while batches.recv_many(&mut waiting, usize::MAX).await > 0 {
        failpoint::hit(failpoint::BEFORE_COMMIT);
        let mut taken = std::mem::take(&mut waiting);
        // What comes after a transition that was not written would not fit what stands.
        taken.retain_mut(|batch| {
            let gone = lost.contains(&(Arc::clone(&batch.run), batch.epoch));
            if gone {
                never(&shared, std::mem::take(&mut batch.after));
            }
            !gone
        });
        for batch in commit(&shared, taken, &mut lost).await {
            perform(&shared, batch);
        }
    }
}

/// Writes all batches in one transaction. Runs that are lost or cannot be written are reported and left out.
async fn commit(shared: &Shared, mut batches: Vec<Batch>, gone: &mut HashSet<(RunKey, i64)>) -> Vec<Batch> {
    let started = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(20);
    loop {
        let new: HashSet<&str> = batches
            .iter()
            .flat_map(|batch| &batch.changes)
            .filter_map(inserted)
            .collect();
        // A run that this very transaction inserts has no row to look at yet.
        let owned = batches.iter().filter(|batch| !new.contains(&*batch.run));
        let fence: HashSet<(String, i64)> = owned.map(|batch| (batch.run.to_string(), batch.epoch)).collect();
        let fence: Vec<_> = fence.into_iter().collect();
        let changes: Vec<Change> = match batches.len() {
            0 => return batches,
            // Only kept for another try: the usual case pays no copy where nothing can be tried again.
            _ => batches
                .iter()
                .flat_map(|batch| batch.changes.iter().cloned())
                .collect(),
        };
        if changes.is_empty() {
            return batches;
        }
        let error = match shared.config.meta.apply(changes, &fence).await {
            Ok(()) => {
                failpoint::hit(failpoint::AFTER_COMMIT);
                return batches;
            }
            Err(error) => error,
        };
        let lost: HashSet<RunKey> = match &error {
            MetaError::Fenced { run } => batches
                .iter()
                .map(|batch| &batch.run)
                .filter(|key| &***key == run.as_str())
                .take(1)
                .cloned()
                .collect(),
            // Whatever run was to be stored with the change is not to be.
            MetaError::Superseded { what, id } => batches
                .iter()
                .filter(|batch| batch.changes.iter().any(|change| superseded(change, what, id)))
                .map(|batch| Arc::clone(&batch.run))
                .collect(),
            error if error.retryable() && started.elapsed() < PATIENCE => HashSet::new(),
            MetaError::NotWritable { .. } | MetaError::Database { .. }
                if started.elapsed() < PATIENCE / 4 =>
            {
                HashSet::new()
            }
            _ => batches.iter().map(|batch| Arc::clone(&batch.run)).collect(),
        };
        if lost.is_empty() {
            tracing::warn!(%error, "transitions could not be written; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
            continue;
        }
        for run in lost {
            match error {
                MetaError::Superseded { .. } => tracing::debug!(%run, %error, "the run is not started"),
                _ => tracing::error!(%run, %error, "the run is given up"),
            }
            let mut after = Vec::new();
            batches.retain_mut(|batch| {
                let keep = batch.run != run;
                if !keep {
                    gone.insert((Arc::clone(&run), batch.epoch));
                    after.append(&mut batch.after);
                }
                keep
            });
            let (replies, after): (Vec<After>, Vec<After>) = after
                .into_iter()
                .partition(|after| matches!(after, After::Reply(_)));
            for reply in replies {
                if let After::Reply(reply) = reply {
                    let _ = reply.send(Err(EngineError::Meta(error.clone())));
                }
            }
            shared.send(Input::Lost {
                run,
                reason: error.to_string(),
            });
            never(shared, after);
        }
    }
}

/// What was to follow from a transition that does not stand does not. Attempts that are not started give back what was
/// taken for them.
fn never(shared: &Shared, after: Vec<After>) {
    for after in after {
        if let After::Launch(launch) = after {
            shared.send(Input::Attempt {
                attempt: launch.document.attempt,
                task: launch.task,
                end: AttemptEnd::Cancelled,
            });
        }
    }
}

fn perform(shared: &Arc<Shared>, batch: Batch) {
    for after in batch.after {
        match after {
            After::Prepare(jobs) => prepare::spawn(shared, jobs),
            After::Launch(launch) => attempt::spawn(shared, *launch),
            After::Emit(event) => drop(shared.events.send(event)),
            After::Reply(reply) => drop(reply.send(Ok(()))),
            After::State(state) => {
                shared.send(Input::StateStands {
                    run: Arc::clone(&batch.run),
                    epoch: batch.epoch,
                    state,
                });
            }
            After::FailPoint(name) => failpoint::hit(name),
        }
    }
}

fn inserted(change: &Change) -> Option<&str> {
    match change {
        Change::InsertRun(row) => Some(&row.id),
        _ => None,
    }
}

/// Whether it is this change that found something else than it had read.
fn superseded(change: &Change, what: &str, id: &str) -> bool {
    match change {
        Change::AdvanceTrigger(advance) => {
            what == "trigger" && id == format!("{}/{}", advance.dag, advance.id)
        }
        Change::CountApproval { run, task, .. } => what == "approval" && id == format!("{run}/{task}"),
        _ => false,
    }
}
