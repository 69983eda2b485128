//! What one transaction may consist of.

use jiff::Timestamp;

use super::{
    AliasIndexRow, ApprovalRow, ArtifactRow, AttemptClose, AttemptProcess, AttemptRow, AuditRow, CacheRow,
    DagStateRow, DatasetIndexRow, DecisionRow, MetricPoint, ModelIndexRow, NewEvent, RunRow, RunUpdate,
    TaskRow, TaskUpdate, TriggerAdvance, TriggerDecisionRow, TriggerRow,
};

/// A change of the metadata. Changes of one kind are written together: rows are inserted before any is updated, later
/// updates of a row win over earlier ones, and events keep their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A new run.
    InsertRun(Box<RunRow>),
    /// A run moves on.
    UpdateRun(RunUpdate),
    /// New tasks.
    InsertTasks(Vec<TaskRow>),
    /// A task moves on.
    UpdateTask(Box<TaskUpdate>),
    /// A new attempt; replaces one of the same number.
    InsertAttempt(Box<AttemptRow>),
    /// An attempt has a process.
    AttemptProcess(AttemptProcess),
    /// An attempt is over.
    EndAttempt(AttemptClose),
    /// A task published something; replaces what stood at the same port.
    Artifact(ArtifactRow),
    /// Something that triggers may look at.
    Event(NewEvent),
    /// A task asks a person; replaces an earlier question of the task.
    OpenApproval(ApprovalRow),
    /// The question is answered or withdrawn.
    CloseApproval {
        /// The run.
        run: String,
        /// The task.
        task: String,
        /// When.
        at: Timestamp,
        /// `approved`, `rejected`, `timed_out`, `cancelled`.
        outcome: String,
    },
    /// One of several approvals that a question needs; fails the transaction with `meta.superseded` unless the question
    /// is open and has as many as `given`.
    CountApproval {
        /// The run.
        run: String,
        /// The task.
        task: String,
        /// How many there were.
        given: u32,
    },
    /// A person's answer.
    Decide(DecisionRow),
    /// Points of curves.
    Metrics(Vec<MetricPoint>),
    /// A result that may be used again; replaces one of the same key.
    Cache(CacheRow),
    /// A dataset version was published.
    IndexDataset(Box<DatasetIndexRow>),
    /// A model version was registered.
    IndexModel(Box<ModelIndexRow>),
    /// An alias or tag was moved.
    IndexAlias(AliasIndexRow),
    /// Someone did something that must be accounted for.
    Audit(AuditRow),
    /// A trigger that is new.
    RegisterTrigger(Box<TriggerRow>),
    /// A trigger moves on; fails the transaction with `meta.superseded` where another one moved it meanwhile.
    AdvanceTrigger(Box<TriggerAdvance>),
    /// A trigger is no more.
    RemoveTrigger {
        /// The DAG.
        dag: String,
        /// The trigger.
        id: String,
    },
    /// What a trigger decided; replaces what it decided about the same cause.
    TriggerDecision(TriggerDecisionRow),
    /// A DAG is paused or goes on.
    DagState(DagStateRow),
    /// Something that must not be taken twice; fails the transaction with `meta.exists` the second time.
    Seen {
        /// What kind of thing.
        scope: String,
        /// Which.
        key: String,
        /// When.
        at: Timestamp,
    },
}

macro_rules! from_row {
    ($($row:ty => $variant:ident $(, $boxed:ident)?);+ $(;)?) => {
        $(impl From<$row> for Change {
            fn from(row: $row) -> Self {
                from_row!(@wrap $variant row $($boxed)?)
            }
        })+
    };
    (@wrap $variant:ident $row:ident boxed) => { Self::$variant(Box::new($row)) };
    (@wrap $variant:ident $row:ident) => { Self::$variant($row) };
}

from_row! {
    RunRow => InsertRun, boxed;
    RunUpdate => UpdateRun;
    Vec<TaskRow> => InsertTasks;
    TaskUpdate => UpdateTask, boxed;
    AttemptRow => InsertAttempt, boxed;
    AttemptProcess => AttemptProcess;
    AttemptClose => EndAttempt;
    ArtifactRow => Artifact;
    NewEvent => Event;
    ApprovalRow => OpenApproval;
    DecisionRow => Decide;
    Vec<MetricPoint> => Metrics;
    CacheRow => Cache;
    DatasetIndexRow => IndexDataset, boxed;
    ModelIndexRow => IndexModel, boxed;
    AliasIndexRow => IndexAlias;
    AuditRow => Audit;
    TriggerRow => RegisterTrigger, boxed;
    TriggerAdvance => AdvanceTrigger, boxed;
    TriggerDecisionRow => TriggerDecision;
    DagStateRow => DagState;
}
