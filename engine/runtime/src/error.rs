//! What can go wrong with the scheduler itself, with a stable code and what to do.

use twinloom_meta::MetaError;
use twinloom_sdk::OperatorError;
use twinloom_store::StoreError;

/// An error of the engine. Errors of tasks are not among them: those stand in the run's summary.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The metadata database failed.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The feature store failed.
    #[error(transparent)]
    Store(Box<StoreError>),
    /// Input that a run needs cannot be resolved.
    #[error("the input `{port}` of `{task}` cannot be resolved: {source}")]
    Input {
        /// The task.
        task: String,
        /// Its input port.
        port: String,
        /// What the store says.
        source: Box<StoreError>,
    },
    /// The plan names an operator that this build does not have.
    #[error("the task `{task}` uses the operator `{operator}`, which this build does not have")]
    UnknownOperator {
        /// The task.
        task: String,
        /// The operator.
        operator: String,
    },
    /// The plan contradicts itself; the spec never makes such a one.
    #[error("the plan of `{dag}` cannot run: {reason}")]
    BadPlan {
        /// The DAG.
        dag: String,
        /// What is wrong.
        reason: String,
    },
    /// Another live process runs it.
    #[error("run {run} is being run by another process ({owner})")]
    Owned {
        /// The run.
        run: String,
        /// Who runs it.
        owner: String,
    },
    /// The run is over, so there is nothing to go on with or to stop.
    #[error("run {run} has ended: it {state}")]
    Ended {
        /// The run.
        run: String,
        /// How.
        state: String,
    },
    /// The run is not over, so there is nothing to retry.
    #[error("run {run} is {state}, so there is nothing to retry yet")]
    NotEnded {
        /// The run.
        run: String,
        /// Where it stands.
        state: String,
    },
    /// No task of the run has failed.
    #[error("run {run} has no task that failed")]
    NothingToRetry {
        /// The run.
        run: String,
    },
    /// No such task.
    #[error("run {run} has no task `{task}`; it has {known}")]
    UnknownTask {
        /// The run.
        run: String,
        /// What was asked for.
        task: String,
        /// Some that there are.
        known: String,
    },
    /// Nobody is asked for a decision.
    #[error("run {run} waits for no decision{}", .task.as_ref().map(|task| format!(" at `{task}`")).unwrap_or_default())]
    NotWaiting {
        /// The run.
        run: String,
        /// The task, where one was named.
        task: Option<String>,
    },
    /// Several tasks wait.
    #[error("run {run} waits at several tasks: {tasks}")]
    AmbiguousTask {
        /// The run.
        run: String,
        /// Those that wait.
        tasks: String,
    },
    /// The question is not theirs to answer.
    #[error("{by} ({role}) may not answer: the question is for {approvers}")]
    NotApprover {
        /// Who.
        by: String,
        /// Their role.
        role: String,
        /// Whom it is for.
        approvers: String,
    },
    /// One person counts once.
    #[error("{by} has answered at `{task}` of run {run} already")]
    AlreadyApproved {
        /// The run.
        run: String,
        /// The task.
        task: String,
        /// Who.
        by: String,
    },
    /// An alias is moved for a reason.
    #[error("an alias is not moved without a reason")]
    NoReason,
    /// A decision in nobody's name.
    #[error("nobody's name stands under the decision")]
    NoName,
    /// The alias never pointed elsewhere.
    #[error("`{alias}` has no earlier version to go back to")]
    NoPrevious {
        /// `model@alias`.
        alias: String,
    },
    /// A file or folder of the engine's home cannot be used.
    #[error("{what} cannot be used: {source}")]
    Home {
        /// The file or folder.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// A stored plan cannot be read.
    #[error("the plan of run {run} cannot be read: {reason}")]
    StoredPlan {
        /// The run.
        run: String,
        /// Why.
        reason: String,
    },
    /// The engine has been shut down, or gave the run up because its database failed.
    #[error("the scheduler has stopped{}", .reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Stopped {
        /// Why, where known.
        reason: Option<String>,
    },
    /// An expression or template of the DAG cannot be evaluated.
    #[error(transparent)]
    Operator(#[from] OperatorError),
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl EngineError {
    /// Stable, dotted, lower case.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Meta(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Input { .. } => "run.input",
            Self::UnknownOperator { .. } => "run.unknown_operator",
            Self::BadPlan { .. } => "run.bad_plan",
            Self::Owned { .. } => "run.owned",
            Self::Ended { .. } => "run.ended",
            Self::NotEnded { .. } => "run.not_ended",
            Self::NothingToRetry { .. } => "run.nothing_to_retry",
            Self::UnknownTask { .. } => "run.unknown_task",
            Self::NotWaiting { .. } => "run.not_waiting",
            Self::AmbiguousTask { .. } => "run.ambiguous_task",
            Self::NotApprover { .. } => "run.not_approver",
            Self::AlreadyApproved { .. } => "run.already_approved",
            Self::NoReason => "alias.reason",
            Self::NoName => "approval.no_name",
            Self::NoPrevious { .. } => "alias.no_previous",
            Self::Home { .. } => "run.home",
            Self::StoredPlan { .. } => "run.stored_plan",
            Self::Stopped { .. } => "run.stopped",
            Self::Operator(error) => &error.code,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Meta(error) => error.hint().to_owned(),
            Self::Store(error) | Self::Input { source: error, .. } => error.hint().to_string(),
            Self::UnknownOperator { .. } => {
                "Check the spelling, or build Twinloom from the revision that has it.".into()
            }
            Self::BadPlan { .. } => {
                "Run `twinloom validate` on the file; if it passes, please report this.".into()
            }
            Self::Owned { .. } => {
                "Wait for it, or stop that process first; its runs can then be resumed.".into()
            }
            Self::Ended { .. } => "Use `twinloom retry` to run its failed tasks again.".into(),
            Self::NotEnded { .. } => "Wait for its end, or cancel it.".into(),
            Self::NothingToRetry { .. } => "Name a task to run again from there.".into(),
            Self::UnknownTask { .. } => "Look at the run with `twinloom show RUN`.".into(),
            Self::NotWaiting { .. } => "Look at the run with `twinloom show RUN`.".into(),
            Self::AmbiguousTask { .. } => "Name the task that is meant.".into(),
            Self::NotApprover { .. } => "Ask one of those that the question names.".into(),
            Self::AlreadyApproved { .. } => "It takes another person's approval.".into(),
            Self::NoReason => "Say why, in a sentence; it is kept in the audit log.".into(),
            Self::NoName => "Say who decides: `--as NAME`. It is kept with the evidence.".into(),
            Self::NoPrevious { .. } => "Move it to a version that you name.".into(),
            Self::Home { .. } => {
                "Give write permission and room, or name another folder with `--home`.".into()
            }
            Self::StoredPlan { .. } => {
                "It was written by another version of Twinloom: start a new run.".into()
            }
            Self::Stopped { .. } => {
                "Start it again and resume the run; nothing that was published is lost.".into()
            }
            Self::Operator(error) => error.hint.clone(),
        }
    }
}
