//! The plan: what a DAG file comes to once pipelines are inlined, matrices expanded and references resolved.

use std::{collections::BTreeMap, time::Duration};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A validated DAG with its parameters, ready to run. Tasks are in topological order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The DAG's name.
    pub dag: String,
    /// Parameters after defaults and checks.
    pub params: Map<String, Value>,
    /// The tasks; a task comes after all it depends on.
    pub tasks: Vec<PlannedTask>,
    /// Slots by pool, as far as the file states them.
    pub pools: BTreeMap<String, u32>,
    /// How runs of the DAG share it.
    pub concurrency: Concurrency,
}

/// How many runs of one DAG may be active, and what happens to one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// At most this many at a time; `None` is no limit.
    pub max_runs: Option<u32>,
    /// What to do with one more.
    pub when_busy: WhenBusy,
    /// Tasks of runs with a higher one start first: 0 to 100.
    #[serde(default = "usual_priority")]
    pub priority: u32,
}

/// The priority of runs whose DAG states none.
#[must_use]
pub fn usual_priority() -> u32 {
    50
}

/// What to do with a run that comes while `max_runs` are active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenBusy {
    /// Wait for a place.
    #[default]
    Queue,
    /// Do not run.
    Skip,
    /// Cancel the oldest active run.
    Cancel,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Unique in the plan: `clean`, `training/train`, `train[rank=8,lr=0.0001]`, `fetch[2]`.
    pub id: String,
    /// The step it comes from, without matrix or item: `training/train`.
    pub step: String,
    /// The operator's name.
    pub operator: String,
    /// Configuration; strings may hold `${{ }}` over `steps` and `run`, rendered when the task starts.
    /// `params`, `matrix` and `item` are already resolved.
    pub config: Value,
    /// Input ports, each with what flows in.
    pub inputs: IndexMap<String, PlannedInput>,
    /// Output ports, each with the dataset or model name it publishes.
    pub outputs: IndexMap<String, String>,
    /// Ids of tasks that must have ended well first (data references included).
    pub needs: Vec<String>,
    /// `if:`; an expression without its braces, over `params`, `steps`, `run`; false skips the task.
    pub condition: Option<String>,
    /// The matrix variant or item, for display and templates.
    pub variant: Map<String, Value>,
    /// Which trial of a search it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Box<Trial>>,
    /// What to do on a transient failure.
    pub retries: Retries,
    /// Wall-clock limit of one attempt.
    pub timeout: Option<Duration>,
    /// The pool whose slot it takes.
    pub pool: Option<String>,
    /// Which executor, where the file says (`inline`, `process`).
    pub executor: Option<String>,
    /// Limits for the process executor.
    pub resources: Resources,
    /// Whether an earlier result with the same cache key may stand in.
    pub cache: bool,
}

/// A trial of a search, at one rung. A trial that fails is left out of the choice, as long as others stand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The step that searches, as in [`PlannedTask::step`].
    pub search: String,
    /// From 0.
    pub number: u32,
    /// From 0; always 0 without `halving`.
    pub rung: u32,
    /// Tasks of the plan that belong to this search; 1 where the best of an earlier run stands in.
    pub of: u32,
    /// What was drawn, and the budget.
    pub values: Map<String, Value>,
    /// The task whose metric decides.
    pub metric_task: String,
    /// The metric.
    pub metric: String,
    /// Which way is better.
    pub goal: Goal,
    /// Whether the best of an earlier run may stand in for the search.
    pub reuse: bool,
}

/// What flows into an input port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
pub enum PlannedInput {
    /// An output of a task of the same run.
    Task {
        /// The task's id.
        task: String,
        /// Its output port.
        port: String,
    },
    /// The same output of several tasks, in order (a matrix or `for_each` without `select`).
    Gather {
        /// The tasks' ids.
        tasks: Vec<String>,
        /// Their output port.
        port: String,
    },
    /// The output of the best variant of a matrix.
    Select {
        /// The variants.
        variants: Vec<Variant>,
        /// The output port.
        port: String,
        /// The metric to compare, of `Variant::metric_task`.
        metric: String,
        /// Which way is better.
        goal: Goal,
    },
    /// A dataset by `name@version-or-tag`, resolved when the run is created.
    Dataset {
        /// The reference.
        reference: String,
    },
    /// A model by `name@version-or-alias`, resolved when the run is created.
    Model {
        /// The reference.
        reference: String,
    },
}

/// A matrix variant to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The task whose output is taken.
    pub task: String,
    /// The task whose metric decides (the same, unless the step is a pipeline).
    pub metric_task: String,
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Lower is better.
    Minimize,
    /// Higher is better.
    Maximize,
}

/// Retries of transient failures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// Attempts after the first.
    pub max: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// Delay before the first retry.
    pub initial: Duration,
    /// No delay is longer.
    pub max_delay: Duration,
    /// Draw the delay from 50% to 100% of its value, so that retries spread.
    pub jitter: bool,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            max: 2,
            backoff: Backoff::Exponential,
            initial: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            jitter: true,
        }
    }
}

/// How the delay between attempts grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// The same delay each time.
    Constant,
    /// One more `initial` each time.
    Linear,
    /// Twice the last delay each time.
    #[default]
    Exponential,
}

/// Limits of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Address-space limit in bytes.
    pub memory: Option<u64>,
    /// CPU-time limit.
    pub cpu_time: Option<Duration>,
    /// Threads that the worker may use.
    pub threads: Option<u32>,
}
