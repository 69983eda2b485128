//! Reading: entities become plain rows.

pub mod artifacts;
pub mod events;
pub mod runs;
pub mod tasks;
pub mod triggers;

use crate::MetaError;

/// Models to plain rows, or the first that is unreadable.
fn plain<M, R: TryFrom<M, Error = MetaError>>(models: Vec<M>) -> Result<Vec<R>, MetaError> {
    models.into_iter().map(R::try_from).collect()
}
