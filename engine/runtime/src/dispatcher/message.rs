//! What reaches the dispatcher.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use twinloom_meta::{DecisionRow, MetricPoint, RunState};
use twinloom_sdk::{Decision, OperatorError, TaskDocument};

use super::Run;
use crate::{
    EngineError, RunSummary, WaitFor,
    executor::{AttemptEnd, Limits, Program},
    prepare::Prepared,
    publish::Published,
};

/// A run's id, shared.
pub type RunKey = Arc<str>;

/// A task of a run under one ownership of it. What comes back with another epoch is a zombie's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaskRef {
    /// The run.
    pub run: RunKey,
    /// The run's epoch.
    pub epoch: i64,
    /// The task's place in the plan.
    pub index: usize,
}

/// A message to the dispatcher.
pub enum Input {
    /// Take a run on: a new one, or one that was claimed.
    Start {
        run: Box<Run>,
        reply: oneshot::Sender<Result<(), EngineError>>,
    },
    /// Tasks are prepared.
    Prepared(Vec<(TaskRef, Prepared)>),
    /// An attempt is over.
    Attempt {
        task: TaskRef,
        attempt: u32,
        end: AttemptEnd,
    },
    /// An attempt has a process.
    Spawned {
        task: TaskRef,
        attempt: u32,
        pid: u32,
        pgid: u32,
        process: Option<String>,
    },
    /// A task's artifacts are committed to the store.
    Published {
        task: TaskRef,
        attempt: u32,
        result: Result<Published, OperatorError>,
    },
    /// A task reported a point of a curve.
    Metric { task: TaskRef, point: MetricPoint },
    /// A run's state is committed.
    StateStands {
        run: RunKey,
        epoch: i64,
        state: RunState,
    },
    /// Transitions of a run could not be written; someone else may own it.
    Lost { run: RunKey, reason: String },
    /// What another process, or a caller here, has left in the database.
    Found {
        decisions: Vec<DecisionRow>,
        cancels: Vec<CancelRequest>,
        cursor: i64,
    },
    /// Someone has decided; it is stored.
    Decided {
        run: String,
        task: String,
        decision: Decision,
    },
    /// Stop a run.
    Cancel {
        run: String,
        by: String,
        reason: String,
        reply: oneshot::Sender<Result<(), EngineError>>,
    },
    /// Wait for a run; no summary where it is not here.
    Wait {
        run: String,
        until: WaitFor,
        reply: oneshot::Sender<Result<Option<RunSummary>, EngineError>>,
    },
    /// Whether a run is here.
    Holds {
        run: String,
        reply: oneshot::Sender<bool>,
    },
    /// Say that it is there.
    Ping { reply: oneshot::Sender<()> },
    /// Stop.
    Shutdown { reply: oneshot::Sender<()> },
}

/// Someone's wish to stop a run, left in the log of events.
pub struct CancelRequest {
    /// The run.
    pub run: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// An attempt to start.
pub struct Launch {
    /// The task.
    pub task: TaskRef,
    /// The attempt.
    pub document: TaskDocument,
    /// Names of the secrets that it may have.
    pub secrets: BTreeSet<String>,
    /// Its limits.
    pub limits: Limits,
    /// The program that runs it; none is this process.
    pub program: Option<Program>,
    /// Ends it.
    pub cancel: CancellationToken,
}
