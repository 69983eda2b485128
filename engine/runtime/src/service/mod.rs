//! The scheduler as a service: an engine, the folder of DAGs, and the triggers that start runs of them.

mod api;
mod backfill;
mod error;
mod intake;
mod keeper;
mod look;
mod queues;

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
};
use twinloom_meta::{AuditRow, Change, DagStateRow, EventRow, NewEvent, event};

pub use api::*;
pub use error::ServiceError;

use crate::{
    Engine, RunId, Submit,
    dags::{DagFolder, DagsError},
    triggers::{Command, Triggers},
};

/// Events that a slow listener may be behind before it has to read the log itself.
const EVENT_BUFFER: usize = 4096;

/// What a service is started with.
#[derive(Debug, Clone)]
pub struct ServiceConfig {
    /// How often files are looked at.
    pub watch_every: Duration,
    /// How often the log is asked for what other processes wrote; what this one writes is told at once.
    pub poll_every: Duration,
    /// How often runs that other processes left behind are looked for; none is never.
    pub recover_every: Option<Duration>,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            watch_every: Duration::from_secs(1),
            poll_every: Duration::from_millis(500),
            recover_every: Some(Duration::from_secs(2)),
        }
    }
}

/// A running service. Clones are handles to the same one.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    dags: DagFolder,
    commands: mpsc::UnboundedSender<Command>,
    events: broadcast::Sender<EventRow>,
    queues: queues::Queues,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Service {
    /// Starts watching files, going on with interrupted runs, and reading the log of events for triggers. Triggers go on
    /// where they stood; those that are new take in what happens from now on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn start(engine: Engine, dags: DagFolder, config: ServiceConfig) -> Result<Self, ServiceError> {
        for row in engine.config().meta.dag_states().await? {
            dags.set_paused(&row.dag, row.paused);
        }
        let (commands, received) = mpsc::unbounded_channel();
        let events = broadcast::Sender::new(EVENT_BUFFER);
        let triggers =
            Triggers::start(engine.clone(), dags.clone(), events.clone(), config.poll_every).await?;
        let mut tasks = vec![tokio::spawn(triggers.run(received))];
        tasks.push(tokio::spawn(keeper::watch(dags.clone(), config.watch_every)));
        tasks.push(tokio::spawn(keeper::forget(engine.clone())));
        if let Some(every) = config.recover_every {
            tasks.push(tokio::spawn(keeper::recover(engine.clone(), every)));
        }
        let inner = Inner {
            engine,
            dags,
            commands,
            events,
            queues: queues::Queues::default(),
            tasks: std::sync::Mutex::new(tasks),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The engine that runs what is started.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The DAGs.
    #[must_use]
    pub fn dags(&self) -> &DagFolder {
        &self.inner.dags
    }

    /// Starts a run of a DAG, paused or not. `trigger` says what asked for it (`{"kind": "manual"}`); `by` is put into
    /// it. The run keeps the text that it was started with.
    ///
    /// # Errors
    /// `dag.unknown`, `dag.invalid` (wrong parameters among it); what the engine says.
    pub async fn submit(
        &self,
        name: &str,
        params: &Map<String, Value>,
        trigger: Value,
        by: &str,
    ) -> Result<RunId, ServiceError> {
        let (plan, dag_text) = self.inner.dags.plan(name, params)?;
        let mut trigger = trigger;
        if let Value::Object(trigger) = &mut trigger {
            trigger.insert("by".to_owned(), by.into());
        }
        let submit = Submit {
            plan,
            dag_text,
            trigger,
            run_id: None,
        };
        Ok(self.inner.engine.submit(submit).await?)
    }

    /// Holds the triggers of a DAG, or lets them go on. What comes while they are held starts at most one run of each
    /// trigger afterwards; schedule times follow `catchup`; queue messages wait; webhooks are refused.
    ///
    /// # Errors
    /// `dag.unknown`; what the database says.
    pub async fn pause(&self, name: &str, paused: bool, by: &str) -> Result<(), ServiceError> {
        self.known(name)?;
        let at = self.inner.engine.now();
        let (kind, action) = if paused {
            (event::DAG_PAUSED, "dag.pause")
        } else {
            (event::DAG_RESUMED, "dag.resume")
        };
        let changes = vec![
            Change::DagState(DagStateRow {
                dag: name.to_owned(),
                paused,
                by: by.to_owned(),
                at,
            }),
            Change::Event(NewEvent {
                kind: kind.to_owned(),
                subject: name.to_owned(),
                payload: json!({ "by": by }),
                at,
            }),
            Change::Audit(AuditRow {
                at,
                by: by.to_owned(),
                action: action.to_owned(),
                subject: name.to_owned(),
                detail: json!({}),
            }),
        ];
        self.inner.engine.config().meta.apply(changes, &[]).await?;
        self.inner.dags.set_paused(name, paused);
        Ok(())
    }

    /// Events of the log as they are written, each with its cursor (`id`), in order. A listener that falls behind reads
    /// what it missed with `meta.events_after`.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<EventRow> {
        self.inner.events.subscribe()
    }

    /// Waits for the dispatcher and the triggers to say that they are there. The triggers do so between two looks at the
    /// log: it takes as long as they are at one.
    ///
    /// # Errors
    /// `run.stopped` after [`Service::shutdown`].
    pub async fn ping(&self) -> Result<(), ServiceError> {
        self.inner.engine.ping().await?;
        self.ask(Command::Ping).await
    }

    /// Waits until the triggers have taken in every event that was written before, and fired what follows from them.
    ///
    /// # Errors
    /// `run.stopped` after [`Service::shutdown`].
    pub async fn settle(&self) -> Result<(), ServiceError> {
        self.ask(Command::Settle).await
    }

    /// Stops the triggers and the watching, then the engine.
    pub async fn shutdown(&self) {
        let tasks = std::mem::take(
            &mut *self
                .inner
                .tasks
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        );
        // What triggers hold is in the database or follows from the log again.
        let _ = self.settle().await;
        for task in tasks {
            task.abort();
            let _ = task.await;
        }
        self.inner.engine.shutdown().await;
    }

    fn known(&self, name: &str) -> Result<crate::dags::DagEntry, ServiceError> {
        let unknown = || DagsError::Unknown {
            name: name.to_owned(),
        };
        Ok(self.inner.dags.entry(name).ok_or_else(unknown)?)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(tokio::sync::oneshot::Sender<T>) -> Command,
    ) -> Result<T, ServiceError> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let _ = self.inner.commands.send(command(reply));
        answer
            .await
            .map_err(|_| crate::EngineError::Stopped { reason: None }.into())
    }
}
