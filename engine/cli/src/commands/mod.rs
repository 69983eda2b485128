//! The commands, a file a concern.

pub mod access;
pub mod ask;
pub mod dags;
pub mod dataset;
pub mod decide;
pub mod experiments;
pub mod files;
pub mod follow;
pub mod init;
pub mod model;
pub mod plan;
pub mod run;
pub mod runs;
pub mod scheduler;
pub mod store;
pub mod up;
