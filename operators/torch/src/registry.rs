//! The operators that this worker runs.

use twinloom_sdk::Registry;

/// The explicit list; configuration and ports of each live in the crate `twinloom-operators`.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
}
