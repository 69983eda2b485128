//! The handle through which everyone talks to the scheduler.

mod decide;
mod labels;
mod ownership;
mod preview;
pub(crate) mod reuse;
mod submit;
mod why;

pub(crate) use ownership::plan_of;

use std::{fs, sync::Arc, time::Duration};

use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::JoinHandle,
};
use twinloom_meta::{Change, NewEvent, RunState};
use twinloom_sdk::ApprovalRequest;

use crate::{
    EngineConfig, EngineError, EngineEvent, LogLine, LogPage, OpenQuestion, RunId, RunSummary, WaitFor,
    dispatcher::{Dispatcher, Input, Shared},
    logs,
    owner::Owner,
    summary,
};

/// Events that a slow listener may be behind before it loses some.
const EVENT_BUFFER: usize = 8192;

/// How often a run of another process is looked at while someone waits for it.
const FOREIGN_POLL: Duration = Duration::from_millis(250);

/// A running scheduler. Clones are handles to the same one; it ends with [`Engine::shutdown`] or its process.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    tasks: Arc<std::sync::Mutex<Vec<JoinHandle<()>>>>,
}

impl Engine {
    /// Starts the scheduler's own tasks. Runs of earlier processes stay as they are until [`Engine::resume`] or
    /// [`Engine::recover`].
    ///
    /// # Errors
    /// `run.home` when the home folder cannot be made.
    pub async fn start(config: EngineConfig) -> Result<Self, EngineError> {
        for folder in ["runs", "work", "vectors"] {
            let path = config.home.join(folder);
            fs::create_dir_all(&path).map_err(|source| EngineError::Home {
                what: path.display().to_string(),
                source,
            })?;
        }
        // Messages to the dispatcher are never dropped and senders never wait for it: its own tasks are bounded by
        // `max_parallel`, and what operators say is bounded before it gets here.
        let (inputs, received) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(config, inputs, broadcast::Sender::new(EVENT_BUFFER)));
        let tasks = Dispatcher::start(&shared, received);
        Ok(Self {
            shared,
            tasks: Arc::new(std::sync::Mutex::new(tasks)),
        })
    }

    /// What the engine was started with.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.shared.config
    }

    /// The name under which it owns runs: another for each engine, also of one process.
    #[must_use]
    pub fn owner(&self) -> String {
        self.shared.owner.to_string()
    }

    /// The time by the engine's clock.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        self.shared.now()
    }

    /// Waits for the dispatcher to say that it is there.
    ///
    /// # Errors
    /// `run.stopped` after [`Engine::shutdown`].
    pub async fn ping(&self) -> Result<(), EngineError> {
        self.ask(|reply| Input::Ping { reply }).await
    }

    /// Stops a run: running tasks are cancelled, the others never start. Returns once that is stored; the run's end
    /// follows. A run of another live process is asked to stop.
    ///
    /// # Errors
    /// `run.ended`, `meta.not_found`.
    pub async fn cancel(&self, run: &str, by: &str, reason: &str) -> Result<(), EngineError> {
        let row = self.shared.config.meta.run(run).await?;
        if row.state.ended() {
            return Err(EngineError::Ended {
                run: row.id,
                state: row.state.to_string(),
            });
        }
        if !self.holds(&row.id).await? {
            let owner = row.owner.as_deref().and_then(Owner::parse);
            let now = self.shared.now();
            if owner.is_some_and(|owner| owner.is_alive(row.lease_until, now)) {
                let payload = serde_json::json!({ "by": by, "reason": reason });
                let kind = crate::dispatcher::CANCEL_REQUESTED.to_owned();
                let change = Change::Event(NewEvent {
                    kind,
                    subject: row.id,
                    payload,
                    at: now,
                });
                return Ok(self.shared.config.meta.apply(vec![change], &[]).await?);
            }
            self.resume(&row.id).await?;
        }
        let (by, reason) = (by.to_owned(), reason.to_owned());
        self.ask(|reply| Input::Cancel {
            run: row.id,
            by,
            reason,
            reply,
        })
        .await?
    }

    /// Waits for a run's end, or for its coming to wait for a person.
    ///
    /// # Errors
    /// `meta.not_found`, `run.stopped` when the engine gave it up.
    pub async fn wait(&self, run: &str, until: WaitFor) -> Result<RunSummary, EngineError> {
        // The id as it stands is asked for first: a caller that has just submitted pays no query.
        let known = run.to_owned();
        if let Some(summary) = self
            .ask(|reply| Input::Wait {
                run: known,
                until,
                reply,
            })
            .await??
        {
            return Ok(summary);
        }
        loop {
            let row = self.shared.config.meta.run(run).await?;
            let waiting = row.state == RunState::Waiting && until == WaitFor::EndedOrWaiting;
            if row.state.ended() || waiting {
                return summary::load(&self.shared.config.meta, &row).await;
            }
            if row.id != run {
                let id = row.id.clone();
                if let Some(summary) = self
                    .ask(|reply| Input::Wait {
                        run: id,
                        until,
                        reply,
                    })
                    .await??
                {
                    return Ok(summary);
                }
            }
            tokio::time::sleep(FOREIGN_POLL).await;
        }
    }

    /// A run as the database has it; `run` is an id or a unique prefix of one.
    ///
    /// # Errors
    /// `meta.not_found`, `meta.ambiguous`.
    pub async fn summary(&self, run: &str) -> Result<RunSummary, EngineError> {
        let row = self.shared.config.meta.run(run).await?;
        summary::load(&self.shared.config.meta, &row).await
    }

    /// What happens from now on. A listener that falls far behind loses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EngineEvent> {
        self.shared.events.subscribe()
    }

    /// A task's log, all attempts, in order.
    ///
    /// # Errors
    /// `run.home` when the file cannot be read.
    pub async fn logs(&self, run: &str, task: &str) -> Result<Vec<LogLine>, EngineError> {
        let (home, run, task) = (self.shared.config.home.clone(), run.to_owned(), task.to_owned());
        let read = tokio::task::spawn_blocking(move || logs::read(&home, &run, &task));
        read.await.map_err(|error| EngineError::Stopped {
            reason: Some(error.to_string()),
        })?
    }

    /// Part of a task's log: at most `most` lines from the place `from` on (0, or one that an earlier page gave).
    ///
    /// # Errors
    /// `run.home` when the file cannot be read.
    pub async fn log_page(
        &self,
        run: &str,
        task: &str,
        from: u64,
        most: u64,
    ) -> Result<LogPage, EngineError> {
        let (home, run, task) = (self.shared.config.home.clone(), run.to_owned(), task.to_owned());
        let read = tokio::task::spawn_blocking(move || logs::read_from(&home, &run, &task, from, most));
        read.await.map_err(|error| EngineError::Stopped {
            reason: Some(error.to_string()),
        })?
    }

    /// Questions that wait for a person, of one run or of all.
    ///
    /// # Errors
    /// What the database says.
    pub async fn questions(&self, run: Option<&str>) -> Result<Vec<OpenQuestion>, EngineError> {
        let rows = self.shared.config.meta.open_approvals(run).await?;
        let question = |row: twinloom_meta::ApprovalRow| {
            let request: ApprovalRequest = serde_json::from_value(row.request).ok()?;
            let (opened_at, expires_at) = (row.opened_at, row.expires_at);
            Some(OpenQuestion {
                run: row.run,
                task: row.task,
                request,
                opened_at,
                expires_at,
            })
        };
        Ok(rows.into_iter().filter_map(question).collect())
    }

    /// Stops the scheduler: workers are ended, runs that are not over stay for whoever resumes them.
    pub async fn shutdown(&self) {
        let (reply, done) = oneshot::channel();
        self.shared.send(Input::Shutdown { reply });
        // An error means that it had stopped already.
        let _ = done.await;
        let tasks = std::mem::take(
            &mut *self
                .tasks
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
        if let Err(error) = self
            .shared
            .config
            .meta
            .release(&self.shared.owner.to_string())
            .await
        {
            tracing::warn!(%error, "leases were not released; they run out by themselves");
        }
        self.shared.owner.retire();
    }

    async fn holds(&self, run: &RunId) -> Result<bool, EngineError> {
        let run = run.clone();
        self.ask(|reply| Input::Holds { run, reply }).await
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.shared.send(input(reply));
        answer.await.map_err(|_| EngineError::Stopped { reason: None })
    }
}
