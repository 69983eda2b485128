//! Retries, limits and how runs share a DAG.

use super::{ByteSize, Label, Period};
use crate::{
    Backoff, Goal, WhenBusy,
    read::{Spanned, choices, spec_struct},
};

choices!(Backoff: "a way for delays to grow" { "constant" => Constant, "linear" => Linear, "exponential" => Exponential, });
choices!(WhenBusy: "what to do with a run that finds the DAG busy" { "queue" => Queue, "skip" => Skip, "cancel" => Cancel, });
choices!(Goal: "a goal" { "minimize" => Minimize, "maximize" => Maximize, });

/// Where a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum ExecutorName {
    /// In the scheduler: light operators only.
    Inline,
    /// In a process of its own.
    Process,
}

choices!(ExecutorName: "an executor" { "inline" => Inline, "process" => Process, });

impl ExecutorName {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Process => "process",
        }
    }
}

spec_struct! {
    /// Retries of transient failures.
    pub struct RetriesSpec: "`retries`" {
        /// Attempts after the first; 2 unless stated.
        "max" => max: Option<u32>,
        /// How the delay grows from one attempt to the next.
        "backoff" => backoff: Option<Backoff>,
        /// Delay before the first retry; `1s` unless stated.
        "initial" => initial: Option<Period>,
        /// No delay is longer; `60s` unless stated.
        "max_delay" => max_delay: Option<Period>,
        /// Draw the delay from 50% to 100% of its value, so that retries spread.
        "jitter" => jitter: Option<bool>,
    }
}

spec_struct! {
    /// Limits of a task's process.
    pub struct ResourcesSpec: "`resources`" {
        /// Memory that the process may use, such as `2GiB`.
        "memory" => memory: Option<ByteSize>,
        /// Processor time that it may use, such as `1h`.
        "cpu_time" => cpu_time: Option<Period>,
        /// Threads that the operator may use.
        "threads" => threads: Option<Spanned<u32>>,
    }
}

spec_struct! {
    /// What holds for every step that does not state it itself.
    pub struct Defaults: "`defaults`" {
        /// Retries of transient failures.
        "retries" => retries: Option<RetriesSpec>,
        /// Wall-clock limit of one attempt, such as `30m`.
        "timeout" => timeout: Option<Period>,
        /// The pool whose slot a task takes.
        "pool" => pool: Option<Spanned<Label>>,
        /// Where tasks run.
        "executor" => executor: Option<ExecutorName>,
        /// Limits of the process.
        "resources" => resources: Option<ResourcesSpec>,
        /// Whether an earlier result with the same operator, configuration and inputs may stand in.
        "cache" => cache: Option<bool>,
    }
}

spec_struct! {
    /// How runs of the DAG share it.
    pub struct ConcurrencySpec: "`concurrency`" {
        /// Runs that may be active at a time.
        "max_runs" => max_runs: Option<Spanned<u32>>,
        /// What to do with one more.
        "when_busy" => when_busy: Option<WhenBusy>,
        /// Tasks of runs with a higher one start first: 0 to 100, 50 unless stated.
        "priority" => priority: Option<Spanned<u32>>,
    }
}
