//! What can go wrong with the folder of DAGs.

use twinloom_spec::Diagnostics;

/// A DAG that cannot be found, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DagsError {
    /// There is no such DAG.
    #[error("there is no DAG `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The text has errors.
    #[error("the DAG `{name}` has errors:\n{diagnostics}")]
    Invalid {
        /// The DAG.
        name: String,
        /// What is wrong.
        diagnostics: Diagnostics,
    },
    /// Someone else has changed the file meanwhile.
    #[error("the file of `{name}` was changed meanwhile: it is at {found}, not at {expected}")]
    Conflict {
        /// The DAG.
        name: String,
        /// The hash that the writer named.
        expected: String,
        /// The hash of the text that stands.
        found: String,
    },
    /// The text is of another DAG.
    #[error("the text is of the DAG `{found}`, not of `{name}`")]
    OtherName {
        /// The DAG that was to be written.
        name: String,
        /// The name in the text.
        found: String,
    },
    /// A file or folder cannot be used.
    #[error("{what} cannot be used: {source}")]
    File {
        /// Which.
        what: String,
        /// Why.
        source: std::io::Error,
    },
}

impl DagsError {
    /// Stable, dotted, lower case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "dag.unknown",
            Self::Invalid { .. } => "dag.invalid",
            Self::Conflict { .. } => "dag.conflict",
            Self::OtherName { .. } => "dag.other_name",
            Self::File { .. } => "dag.file",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "Check the spelling; files of the DAG folder end in `.yaml` or `.yml`.",
            Self::Invalid { .. } => "Mend what is named; the last version without errors still runs.",
            Self::Conflict { .. } => "Read the file again and repeat the change on it.",
            Self::OtherName { .. } => "Keep `name:` as it is, or write a new DAG of that name.",
            Self::File { .. } => "Check that the folder exists and may be read and written.",
        }
    }
}
