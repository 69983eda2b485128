//! The scheduler: dispatcher, executors, retries, cache, events.
//!
//! One dispatcher task owns the state of all runs and is fed by messages ([`Engine`] is a handle that sends them). Every
//! transition is committed to SQL before it is acted on; executors own processes. Never names an operator.

mod answers;
mod api;
mod clock;
mod config;
pub mod dags;
mod dispatcher;
mod engine;
mod error;
pub mod executor;
pub mod experiments;
pub mod failpoint;
pub mod index;
mod keys;
mod logs;
mod owner;
mod prepare;
mod publish;
pub mod reports;
mod scope;
mod secrets;
pub mod service;
mod summary;
pub mod triggers;
mod writer;

pub use api::{
    Decision, EngineEvent, LogLine, LogPage, OpenQuestion, OutputSummary, RunId, RunSummary, Submit,
    TaskPreview, TaskSummary, WaitFor, Why, Would,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::EngineConfig;
pub use engine::Engine;
pub use error::EngineError;
pub use executor::Programs;
pub use owner::is_running;
pub use secrets::{EnvironmentSecrets, SecretSource};
pub use service::{Service, ServiceConfig, ServiceError};
