//! The tables as sea-orm sees them, and how their rows become plain ones.

pub mod accounts;
pub mod alias;
pub mod approval;
pub mod artifact;
pub mod attempt;
pub mod audit;
pub mod cache_entry;
pub mod dag_state;
pub mod dataset_version;
pub mod decision;
pub mod event;
pub mod metric_point;
pub mod model_version;
pub mod run;
pub mod run_document;
pub mod task;
pub mod trigger;
pub mod trigger_decision;

mod convert;

pub use convert::{json, json_opt, micros, number, time, time_opt, word};
