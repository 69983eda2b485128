//! The one task that owns the state of all runs. Everything reaches it as an [`Input`]; everything it decides leaves as
//! a batch of changes with what follows from them, so that nothing is acted on before it is committed.

mod advance;
pub mod attempt;
mod backoff;
mod finish;
pub mod graph;
mod inputs;
mod lifecycle;
mod message;
mod poll;
pub mod run;
mod search;
mod shared;
mod slots;
mod start;
mod timers;
mod waiting;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

pub use message::{CancelRequest, Input, Launch, RunKey, TaskRef};
pub use poll::{CANCEL_REQUESTED, LEASE};
pub use run::Run;
pub use shared::Shared;

use self::{slots::Slots, timers::Timers};
use crate::writer;

/// Messages taken together: their transitions share a commit.
const MOST_AT_ONCE: usize = 4096;

/// Owns all runs.
pub struct Dispatcher {
    runs: HashMap<RunKey, Run>,
    core: Core,
}

/// All but the runs, so that a run and the rest can be changed at the same time.
pub struct Core {
    shared: Arc<Shared>,
    slots: Slots,
    timers: Timers,
    touched: HashSet<RunKey>,
    writer: Option<mpsc::UnboundedSender<writer::Batch>>,
    /// Runs of a DAG that wait for a place, in order.
    queued: HashMap<String, VecDeque<RunKey>>,
    poll: poll::Poll,
    stopping: Option<oneshot::Sender<()>>,
    /// Attempts that have not ended.
    attempts: usize,
}

impl Dispatcher {
    /// Starts the dispatcher with its writer and its lease keeper.
    pub fn start(shared: &Arc<Shared>, inputs: mpsc::UnboundedReceiver<Input>) -> Vec<JoinHandle<()>> {
        let (writer, batches) = mpsc::unbounded_channel();
        let core = Core {
            slots: Slots::new(shared.config.max_parallel, shared.config.pools.clone()),
            shared: Arc::clone(shared),
            timers: Timers::default(),
            touched: HashSet::new(),
            writer: Some(writer),
            queued: HashMap::new(),
            poll: poll::Poll::default(),
            stopping: None,
            attempts: 0,
        };
        let writing = tokio::spawn(writer::run(Arc::clone(shared), batches));
        let dispatcher = Self {
            runs: HashMap::new(),
            core,
        };
        vec![
            tokio::spawn(dispatcher.run(inputs, writing)),
            tokio::spawn(poll::keep_leases(Arc::clone(shared))),
        ]
    }

    async fn run(mut self, mut inputs: mpsc::UnboundedReceiver<Input>, writing: JoinHandle<()>) {
        let mut batch = Vec::new();
        loop {
            let next = self.core.timers.next();
            let clock = Arc::clone(&self.core.shared.config.clock);
            tokio::select! {
                biased;
                count = inputs.recv_many(&mut batch, MOST_AT_ONCE) => if count == 0 { break },
                () = sleep(&*clock, next) => {}
            }
            for input in batch.drain(..) {
                self.handle(input);
            }
            self.fire_timers();
            self.start_tasks();
            self.flush();
            if self.core.stopping.is_some() && self.core.attempts == 0 {
                break;
            }
        }
        // The writer ends once what it was given is written.
        self.core.writer = None;
        drop(writing.await);
        if let Some(reply) = self.core.stopping.take() {
            // Nobody may be listening any more.
            let _ = reply.send(());
        }
    }

    fn handle(&mut self, input: Input) {
        match input {
            Input::Start { run, reply } => self.take_on(*run, reply),
            Input::Prepared(prepared) => {
                for (task, prepared) in prepared {
                    self.with_task(&task, |core, run, index| core.prepared(run, index, prepared));
                }
            }
            Input::Attempt { task, attempt, end } => {
                self.core.attempts = self.core.attempts.saturating_sub(1);
                let pool = self.pool_of(&task);
                self.core.slots.give_back(pool.as_deref());
                if self.core.stopping.is_none() {
                    self.with_task(&task, |core, run, index| {
                        core.attempt_ended(run, index, attempt, end)
                    });
                }
            }
            Input::Spawned {
                task,
                attempt,
                pid,
                pgid,
                process,
            } => {
                self.with_task(&task, |_, run, index| {
                    finish::spawned(run, index, attempt, pid, pgid, process)
                });
            }
            Input::Published {
                task,
                attempt,
                result,
            } => {
                self.with_task(&task, |core, run, index| {
                    core.published(run, index, attempt, result)
                });
            }
            Input::Metric { task, point } => {
                self.with_task(&task, |_, run, _| run.metrics.push(point));
            }
            Input::StateStands { run, epoch, state } => self.state_stands(&run, epoch, state),
            Input::Lost { run, reason } => self.lost(&run, &reason),
            Input::Decided { run, task, decision } => self.decide(&run, &task, decision),
            Input::Found {
                decisions,
                cancels,
                cursor,
            } => self.found(decisions, cancels, cursor),
            Input::Cancel {
                run,
                by,
                reason,
                reply,
            } => self.cancel(&run, &by, &reason, reply),
            Input::Wait { run, until, reply } => self.wait(&run, until, reply),
            Input::Holds { run, reply } => drop(reply.send(self.runs.contains_key(run.as_str()))),
            Input::Ping { reply } => drop(reply.send(())),
            Input::Shutdown { reply } => self.stop(reply),
        }
    }

    /// Calls `f` unless the message is of an ownership that is over.
    fn with_task(&mut self, task: &TaskRef, f: impl FnOnce(&mut Core, &mut Run, usize)) {
        let Some(run) = self.runs.get_mut(&task.run) else {
            return;
        };
        if run.epoch == task.epoch && task.index < run.tasks.len() {
            f(&mut self.core, run, task.index);
            self.core.touch(&task.run);
        }
    }

    fn pool_of(&self, task: &TaskRef) -> Option<String> {
        // A run that was lost meanwhile gave its plan up: then the pool was given back with it.
        self.runs.get(&task.run)?.plan.tasks.get(task.index)?.pool.clone()
    }

    /// Starts as many tasks as there are slots for.
    fn start_tasks(&mut self) {
        if self.core.stopping.is_some() {
            return;
        }
        for key in &self.core.touched.clone() {
            if let Some(run) = self.runs.get_mut(key) {
                self.core.settle(run);
            }
        }
        while let Some(task) = self.core.slots.next() {
            self.with_task(&task, |core, run, index| core.start(run, index));
        }
    }

    /// Hands the writer all that has changed.
    fn flush(&mut self) {
        let now = self.core.shared.now();
        let listeners = self.core.shared.events.receiver_count() > 0;
        for key in std::mem::take(&mut self.core.touched) {
            let Some(run) = self.runs.get_mut(&key) else {
                continue;
            };
            self.core.conclude(run);
            let (changes, after) = run.take_changes(now, listeners);
            if changes.is_empty() && after.is_empty() {
                continue;
            }
            let batch = writer::Batch {
                run: key,
                epoch: run.epoch,
                changes,
                after,
            };
            if let Some(writer) = &self.core.writer {
                drop(writer.send(batch));
            }
        }
        self.core.shared.active.store(self.runs.len(), Ordering::Relaxed);
        self.keep_polling(now);
    }

    /// Ends all workers; what they were at stays as it is in the database, for whoever resumes it.
    fn stop(&mut self, reply: oneshot::Sender<()>) {
        self.core.stopping = Some(reply);
        for task in self.runs.values().flat_map(|run| &run.tasks) {
            if let Some(cancel) = &task.cancel {
                cancel.cancel();
            }
        }
    }
}

impl Core {
    /// The run is looked at before the next commit.
    fn touch(&mut self, run: &RunKey) {
        if !self.touched.contains(run) {
            self.touched.insert(Arc::clone(run));
        }
    }
}

async fn sleep(clock: &dyn crate::Clock, until: Option<jiff::Timestamp>) {
    match until {
        Some(until) => clock.sleep_until(until).await,
        None => std::future::pending().await,
    }
}
