//! What one transaction may consist of.

use jiff::Timestamp;

use super::{
    AliasIndexRow, ApprovalRow, ArtifactRow, AttemptClose, AttemptProcess, AttemptRow, AuditRow, CacheRow,
    DatasetIndexRow, DecisionRow, MetricPoint, ModelIndexRow, NewEvent, RunRow, RunUpdate, TaskRow,
    TaskUpdate,
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
}
