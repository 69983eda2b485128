//! What can go wrong on the way to an answer.

use std::path::PathBuf;

use twinloom_store::{StoreError, VersionId, vectors::VectorError};

/// An error of the gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The feature store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The model is there, and the alias that was asked for is not: nothing was released under it.
    #[error("{said}")]
    NotReleased {
        /// What the store says of the alias. No `source`: a chain of errors would print it twice.
        said: Box<StoreError>,
        /// The newest version of the model.
        newest: Box<VersionId>,
    },
    /// The vector collection failed.
    #[error(transparent)]
    Vectors(#[from] VectorError),
    /// No libtorch worker is built.
    #[error("the libtorch worker twinloom-torch is not there")]
    NoWorker,
    /// The worker did not start.
    #[error("the libtorch worker `{}` could not be started: {source}", path.display())]
    Spawn {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The worker ended, or said something that is not a reply.
    #[error("the libtorch worker broke off: {reason}")]
    Worker {
        /// What was seen.
        reason: String,
    },
    /// The worker answered with an error.
    #[error("{message}")]
    Refused {
        /// The worker's own code.
        code: String,
        /// What it said.
        message: String,
        /// What it advises.
        hint: String,
    },
    /// A file of the gateway's own failed.
    #[error("`{}` could not be written: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The model is an adapter whose base is nowhere.
    #[error("the model {model} names no base that can be found")]
    NoBase {
        /// The adapter.
        model: String,
    },
}

impl GatewayError {
    /// Stable and dotted.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Store(error) => error.code(),
            Self::NotReleased { said, .. } => said.code(),
            Self::Vectors(error) => error.code(),
            Self::NoWorker => "gateway.no_worker",
            Self::Spawn { .. } => "gateway.spawn",
            Self::Worker { .. } => "gateway.worker",
            Self::Refused { code, .. } => code,
            Self::File { .. } => "gateway.file",
            Self::NoBase { .. } => "gateway.no_base",
        }
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Store(error) => error.hint().to_string(),
            Self::NotReleased { newest, .. } => format!(
                "{newest} is there and was not released: `twinloom show latest` says why. `twinloom ask --model {0}@latest` asks it as it is; `twinloom model alias {0}@{1} ALIAS --as NAME --reason WHY` releases it by hand.",
                newest.name, newest.version
            ),
            Self::Vectors(error) => error.hint().to_string(),
            Self::NoWorker => "Build it with `make build`, or set TWINLOOM_TORCH to its path.".to_owned(),
            Self::Spawn { .. } => "Check TWINLOOM_TORCH; `make setup` puts libtorch in place.".to_owned(),
            Self::Worker { .. } => {
                "Try `twinloom-torch info`; `make setup` puts libtorch in place.".to_owned()
            }
            Self::Refused { hint, .. } => hint.clone(),
            Self::File { .. } => "Check the home folder's permissions and the free space.".to_owned(),
            Self::NoBase { .. } => {
                "Register the base as a model, or put its folder back where it was.".to_owned()
            }
        }
    }
}
