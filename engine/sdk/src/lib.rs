//! All that an operator may see: the [`Operator`] and [`RowOperator`] traits, their [`Context`], artifacts, errors and
//! the worker protocol.

mod context;
mod error;
mod execute;
pub mod net;
mod operator;
mod outcome;
mod protocol;
pub mod records;
mod report;
mod rowwise;
pub mod secrets;
pub mod serving;
pub mod worker;

pub use context::Context;
pub use error::{ErrorKind, OperatorError};
pub use execute::execute;
pub use operator::{DynOperator, Operator, OperatorConfig, OperatorInfo, Registry, Runs};
pub use outcome::{ApprovalRequest, Decision, Done, OnTimeout, Outcome};
pub use protocol::{
    AliasMove, ArtifactId, Assignment, Level, Message, OutputTarget, PROTOCOL, Staged, TaskDocument,
};
pub use report::Reporter;
pub use rowwise::{MADE_WITH, RowOperator, RowWise};
pub use secrets::{SECRET_PREFIX, Secrets};
