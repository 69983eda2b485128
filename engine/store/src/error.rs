//! What can go wrong in the store, each with a stable code and what to do about it.

use thiserror::Error;

/// An error of the feature store.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A name with characters or a length that are not allowed.
    #[error("`{name}` is not a valid name")]
    InvalidName {
        /// The text that was given.
        name: String,
    },
}
