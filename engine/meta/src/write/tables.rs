//! Names, keys and columns of the tables that batches are written to.

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// Empty for logs, whose rows have no key but a counter.
    pub key: &'static [&'static str],
    pub columns: &'static [(&'static str, Kind)],
}

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Int,
    Real,
    Bool,
}

impl Table {
    /// Type of one of its columns.
    pub fn kind(&self, column: &str) -> Option<Kind> {
        self.columns
            .iter()
            .find(|(name, _)| *name == column)
            .map(|(_, kind)| *kind)
    }
}

use Kind::{Bool, Int, Real, Text};

pub const RUNS: Table = Table {
    name: "runs",
    key: &["id"],
    columns: &[
        ("id", Text),
        ("dag", Text),
        ("params", Text),
        ("state", Text),
        ("trigger", Text),
        ("created_at", Int),
        ("started_at", Int),
        ("ended_at", Int),
        ("owner", Text),
        ("epoch", Int),
        ("lease_until", Int),
        ("error", Text),
    ],
};

pub const RUN_DOCUMENTS: Table = Table {
    name: "run_documents",
    key: &["run"],
    columns: &[("run", Text), ("plan", Text), ("dag_text", Text)],
};

pub const TASKS: Table = Table {
    name: "tasks",
    key: &["run", "id"],
    columns: &[
        ("run", Text),
        ("id", Text),
        ("position", Int),
        ("step", Text),
        ("operator", Text),
        ("state", Text),
        ("attempt", Int),
        ("config", Text),
        ("cache_key", Text),
        ("metrics", Text),
        ("error", Text),
        ("reason", Text),
        ("queued_at", Int),
        ("started_at", Int),
        ("ended_at", Int),
        ("next_attempt_at", Int),
    ],
};

pub const ATTEMPTS: Table = Table {
    name: "attempts",
    key: &["run", "task", "attempt"],
    columns: &[
        ("run", Text),
        ("task", Text),
        ("attempt", Int),
        ("pid", Int),
        ("pgid", Int),
        ("process", Text),
        ("started_at", Int),
        ("ended_at", Int),
        ("outcome", Text),
        ("error", Text),
    ],
};

pub const ARTIFACTS: Table = Table {
    name: "artifacts",
    key: &["run", "task", "port"],
    columns: &[
        ("run", Text),
        ("task", Text),
        ("port", Text),
        ("kind", Text),
        ("name", Text),
        ("version", Int),
        ("hash", Text),
        ("outcome", Text),
        ("rows", Int),
    ],
};

pub const METRIC_POINTS: Table = Table {
    name: "metric_points",
    key: &[],
    columns: &[
        ("run", Text),
        ("task", Text),
        ("name", Text),
        ("step", Int),
        ("value", Real),
        ("at", Int),
    ],
};

pub const CACHE_ENTRIES: Table = Table {
    name: "cache_entries",
    key: &["key"],
    columns: &[
        ("key", Text),
        ("outputs", Text),
        ("metrics", Text),
        ("run", Text),
        ("task", Text),
        ("at", Int),
    ],
};

pub const APPROVALS: Table = Table {
    name: "approvals",
    key: &["run", "task"],
    columns: &[
        ("run", Text),
        ("task", Text),
        ("request", Text),
        ("opened_at", Int),
        ("expires_at", Int),
        ("closed_at", Int),
        ("outcome", Text),
        ("given", Int),
    ],
};

pub const DECISIONS: Table = Table {
    name: "decisions",
    key: &[],
    columns: &[
        ("run", Text),
        ("task", Text),
        ("approved", Bool),
        ("by", Text),
        ("at", Int),
        ("comment", Text),
        ("evidence", Text),
    ],
};

pub const EVENTS: Table = Table {
    name: "events",
    key: &["id"],
    columns: &[
        ("id", Int),
        ("kind", Text),
        ("subject", Text),
        ("payload", Text),
        ("at", Int),
    ],
};

pub const DATASET_VERSIONS: Table = Table {
    name: "dataset_versions",
    key: &["name", "version"],
    columns: &[
        ("name", Text),
        ("version", Int),
        ("hash", Text),
        ("parent", Int),
        ("rows", Int),
        ("bytes", Int),
        ("changes", Text),
        ("run", Text),
        ("task", Text),
        ("created_at", Int),
    ],
};

pub const MODEL_VERSIONS: Table = Table {
    name: "model_versions",
    key: &["name", "version"],
    columns: &[
        ("name", Text),
        ("version", Int),
        ("hash", Text),
        ("base", Text),
        ("metrics", Text),
        ("run", Text),
        ("task", Text),
        ("created_at", Int),
    ],
};

pub const ALIASES: Table = Table {
    name: "aliases",
    key: &["kind", "name", "alias"],
    columns: &[
        ("kind", Text),
        ("name", Text),
        ("alias", Text),
        ("version", Int),
        ("previous", Int),
        ("by", Text),
        ("reason", Text),
        ("moved_at", Int),
    ],
};

pub const AUDIT_LOG: Table = Table {
    name: "audit_log",
    key: &[],
    columns: &[
        ("at", Int),
        ("by", Text),
        ("action", Text),
        ("subject", Text),
        ("detail", Text),
    ],
};

pub const TRIGGERS: Table = Table {
    name: "triggers",
    key: &["dag", "id"],
    columns: &[
        ("dag", Text),
        ("id", Text),
        ("kind", Text),
        ("definition", Text),
        ("rev", Int),
        ("cursor", Int),
        ("state", Text),
        ("registered_at", Int),
        ("due_at", Int),
        ("last_fired_at", Int),
        ("last_run", Text),
    ],
};

pub const TRIGGER_DECISIONS: Table = Table {
    name: "trigger_decisions",
    key: &["dag", "trigger", "cause"],
    columns: &[
        ("dag", Text),
        ("trigger", Text),
        ("cause", Text),
        ("event", Int),
        ("at", Int),
        ("fired", Bool),
        ("run", Text),
        ("reason", Text),
    ],
};

pub const DAG_STATES: Table = Table {
    name: "dag_states",
    key: &["dag"],
    columns: &[("dag", Text), ("paused", Bool), ("by", Text), ("at", Int)],
};

pub const SEEN_KEYS: Table = Table {
    name: "seen_keys",
    key: &["scope", "key"],
    columns: &[("scope", Text), ("key", Text), ("at", Int)],
};
