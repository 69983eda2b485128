//! What can go wrong with a collection, each with a stable code and what to do about it.

use thiserror::Error;

use crate::StoreError;

/// An error of a vector index.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VectorError {
    /// Files of a collection that cannot be what this index wrote.
    #[error("the vector collection {collection} is corrupt: {reason}")]
    Corrupt {
        /// Its folder.
        collection: String,
        /// What is wrong.
        reason: String,
    },
    /// Somebody else writes to it at this moment.
    #[error("the vector collection {collection} is being written by another process")]
    Busy {
        /// Its folder.
        collection: String,
    },
    /// A vector of another length than the collection's.
    #[error("a vector has {got} values, and those of the collection have {want}")]
    Dimension {
        /// The collection's dimension.
        want: usize,
        /// The vector's length.
        got: usize,
    },
    /// A vector with NaN or infinite values.
    #[error("the vector of {record} has a value that is not a finite number")]
    NotFinite {
        /// The record's id, or `the query`.
        record: String,
    },
    /// A record or collection above a bound that protects memory.
    #[error("{what} is too large: {reason}")]
    TooLarge {
        /// What.
        what: String,
        /// Its size and the bound.
        reason: String,
    },
    /// A dataset that does not hold embedded chunks.
    #[error("the dataset {dataset} cannot be indexed: {reason}")]
    BadRows {
        /// The dataset version.
        dataset: String,
        /// What is wrong.
        reason: String,
    },
    /// The feature store, or a file of the collection.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VectorError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "vectors.corrupt",
            Self::Busy { .. } => "vectors.busy",
            Self::Dimension { .. } => "vectors.dimension",
            Self::NotFinite { .. } => "vectors.not_finite",
            Self::TooLarge { .. } => "vectors.too_large",
            Self::BadRows { .. } => "vectors.bad_rows",
            Self::Store(error) => error.code(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::Corrupt { .. } => {
                "Run the index step again: it builds the collection anew from the dataset. Or delete the folder first."
            }
            Self::Busy { .. } => "Try again when the other run has ended.",
            Self::Dimension { .. } => {
                "Use the embedder that the collection was built with, or another collection."
            }
            Self::NotFinite { .. } => "Embed the text again; the embedder gave a vector that is none.",
            Self::TooLarge { .. } => "Cut the text into smaller chunks, or split the collection.",
            Self::BadRows { .. } => "Connect the output `chunks` of an embed step.",
            Self::Store(error) => return error.hint(),
        };
        hint.to_owned()
    }

    /// Whether it may pass by itself.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Busy { .. } => true,
            Self::Store(error) => error.retryable(),
            _ => false,
        }
    }
}

impl From<tokio::task::JoinError> for VectorError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Store(error.into())
    }
}
