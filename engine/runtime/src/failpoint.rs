//! Places where a test may end the process, to show that nothing is lost or doubled whenever it dies.
//!
//! `TWINLOOM_FAILPOINT=name` aborts at the first pass of that point, `name:3` at the third. Unset, a point costs one
//! load of an atomic.

use std::{
    env, process,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// The environment variable that arms one point.
pub const VARIABLE: &str = "TWINLOOM_FAILPOINT";

/// Every point, in the order in which a task passes them.
pub const ALL: &[&str] = &[
    SUBMIT,
    RUN_INSERTED,
    BEFORE_COMMIT,
    AFTER_COMMIT,
    BEFORE_LAUNCH,
    STAGED,
    STORE_COMMITTED,
    ALIAS_MOVED,
    PUBLISHED,
    WAITING,
    DECIDED,
    RETRY_SCHEDULED,
    CACHED,
    RUN_ENDED,
    CLAIMED,
];

/// A run was asked for; nothing is stored yet.
pub const SUBMIT: &str = "submit";
/// The run and its tasks are stored; nobody was told.
pub const RUN_INSERTED: &str = "run_inserted";
/// State changes are about to be committed.
pub const BEFORE_COMMIT: &str = "before_commit";
/// State changes are committed and not acted on.
pub const AFTER_COMMIT: &str = "after_commit";
/// An attempt is about to start.
pub const BEFORE_LAUNCH: &str = "before_launch";
/// An operator is done; its artifacts are staged and not committed.
pub const STAGED: &str = "staged";
/// An artifact stands in the store; SQL does not know.
pub const STORE_COMMITTED: &str = "store_committed";
/// An alias points elsewhere in the store; SQL does not know.
pub const ALIAS_MOVED: &str = "alias_moved";
/// A task's success and artifacts are in SQL; nothing that follows from it has started.
pub const PUBLISHED: &str = "published";
/// A question to a person is stored.
pub const WAITING: &str = "waiting";
/// A decision is stored; the task does not know.
pub const DECIDED: &str = "decided";
/// A retry is stored.
pub const RETRY_SCHEDULED: &str = "retry_scheduled";
/// A cached result was taken.
pub const CACHED: &str = "cached";
/// The end of a run is stored; nobody was told.
pub const RUN_ENDED: &str = "run_ended";
/// A trigger is about to store its run; nothing is stored yet.
pub const TRIGGER_FIRES: &str = "trigger_fires";
/// A run was taken over; nothing of it was touched.
pub const CLAIMED: &str = "claimed";

struct Armed {
    name: String,
    left: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Ends the process here when the point is armed.
#[inline]
pub fn hit(name: &'static str) {
    if let Some(armed) = ARMED.get_or_init(from_environment) {
        fire(armed, name);
    }
}

#[cold]
fn fire(armed: &Armed, name: &str) {
    if armed.name == name && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        process::abort();
    }
}

fn from_environment() -> Option<Armed> {
    let text = env::var(VARIABLE).ok().filter(|text| !text.is_empty())?;
    let (name, pass) = match text.split_once(':') {
        Some((name, pass)) => (name, pass.parse().unwrap_or(1)),
        None => (text.as_str(), 1),
    };
    Some(Armed {
        name: name.to_owned(),
        left: AtomicU64::new(pass),
    })
}
