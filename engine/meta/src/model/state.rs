//! States of runs and tasks, as they stand in the database and on the wire.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A word that is not one of the states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}; it is one of {known}")]
pub struct UnknownWord {
    /// What was expected: `task state`.
    pub what: &'static str,
    /// What was found.
    pub text: String,
    /// All there are.
    pub known: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word for it, snake_case.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { what: $what, text: text.to_owned(), known: [$($word),+].join(", ") }),
                }
            }
        }
    };
}

words! {
    /// Where a task of a run stands.
    TaskState, "task state", {
        /// Waits for what it needs, or for its next attempt.
        Pending = "pending",
        /// May start as soon as there is a slot.
        Queued = "queued",
        /// An attempt is under way.
        Running = "running",
        /// Waits for a person; holds no worker.
        Waiting = "waiting",
        /// Done.
        Succeeded = "succeeded",
        /// An earlier result stood in.
        Cached = "cached",
        /// Gave up.
        Failed = "failed",
        /// Stopped on request.
        Cancelled = "cancelled",
        /// Its condition was false.
        Skipped = "skipped",
        /// Something that it needs did not end well.
        UpstreamFailed = "upstream_failed",
    }
}

impl TaskState {
    /// Whether nothing more happens to the task unless someone retries it.
    #[must_use]
    pub fn ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Queued | Self::Running | Self::Waiting)
    }

    /// Whether its outputs stand.
    #[must_use]
    pub fn succeeded(self) -> bool {
        matches!(self, Self::Succeeded | Self::Cached)
    }
}

words! {
    /// Where a run stands.
    RunState, "run state", {
        /// Waits for a place among the runs of its DAG.
        Queued = "queued",
        /// Tasks run or may run.
        Running = "running",
        /// Only a person's decision moves it.
        Waiting = "waiting",
        /// Every task ended well or was skipped.
        Succeeded = "succeeded",
        /// A task failed.
        Failed = "failed",
        /// Stopped on request.
        Cancelled = "cancelled",
        /// Not run, because its DAG was busy.
        Skipped = "skipped",
    }
}

impl RunState {
    /// The states of runs that have not ended.
    pub const OPEN: [Self; 3] = [Self::Queued, Self::Running, Self::Waiting];

    /// Whether nothing more happens to the run unless someone retries it.
    #[must_use]
    pub fn ended(self) -> bool {
        !Self::OPEN.contains(&self)
    }
}

words! {
    /// What an artifact is.
    ArtifactKind, "artifact kind", {
        /// Rows in Parquet.
        Dataset = "dataset",
        /// Named files.
        Model = "model",
    }
}
