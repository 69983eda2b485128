//! What can go wrong in the store, each with a stable code and what to do about it.

use std::{fmt, io, path::Path};

use thiserror::Error;

/// A cause kept for people; its text is part of the message, its type is nobody's business.
pub type Cause = Box<dyn std::error::Error + Send + Sync + 'static>;

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
    /// A store location that cannot be understood.
    #[error("`{url}` is not a store location: {reason}")]
    InvalidLocation {
        /// The URL, without secrets.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A dataset, model, version, tag or alias that is not there.
    #[error("{what} does not exist")]
    NotFound {
        /// What was looked for: `dataset articles`, `version 7 of dataset articles`.
        what: String,
        /// What there is instead, a few of them.
        known: Vec<String>,
        /// The likeliest misspelling.
        suggestion: Option<String>,
    },
    /// The object store lets a second writer overwrite what must be written once.
    #[error("the object store at {url} does not honour put-if-absent: {reason}")]
    NoConditionalPut {
        /// The URL, without secrets.
        url: String,
        /// What the probe saw.
        reason: String,
    },
    /// The object store did not answer, or answered with a failure that may pass.
    #[error("could not {action}: {source}")]
    Unavailable {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: Cause,
    },
    /// Reading or writing is not permitted.
    #[error("not permitted to {action}: {source}")]
    Denied {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: Cause,
    },
    /// The disk, or a quota on it, is full.
    #[error("no space left to {action}: {source}")]
    DiskFull {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: Cause,
    },
    /// A local file that could not be read or written.
    #[error("could not {action}: {source}")]
    File {
        /// What was tried, naming the file.
        action: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A blob that a version needs is gone.
    #[error("blob {blob} of {owner} is missing")]
    MissingBlob {
        /// Its path in the store.
        blob: String,
        /// The version that needs it.
        owner: String,
    },
    /// A blob whose bytes are not what its name says.
    #[error("blob {blob} of {owner} is corrupt: {reason}")]
    CorruptBlob {
        /// Its path in the store.
        blob: String,
        /// The version that needs it.
        owner: String,
        /// How it shows.
        reason: String,
    },
    /// A manifest or label file that cannot be what this store wrote.
    #[error("{path} is not a valid manifest: {reason}")]
    BadManifest {
        /// Its path in the store.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A manifest that a newer Twinloom wrote.
    #[error("{path} has format {format}, and this build reads up to {}", crate::FORMAT)]
    NewerFormat {
        /// Its path in the store.
        path: String,
        /// The format it names.
        format: u64,
    },
    /// Two rows with the same full key.
    #[error("dataset {dataset} got two rows with the key {key}")]
    DuplicateKey {
        /// The dataset being written.
        dataset: String,
        /// The key columns' values.
        key: String,
    },
    /// A row without a key.
    #[error("dataset {dataset} got a row whose key column `{column}` is null")]
    NullKey {
        /// The dataset being written.
        dataset: String,
        /// The key column.
        column: String,
    },
    /// A key column that is not in the schema, or is of a type that cannot be a key.
    #[error("dataset {dataset} cannot have the key column `{column}`: {reason}")]
    KeyColumn {
        /// The dataset being written.
        dataset: String,
        /// The key column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows, or a base version, of another schema than the dataset's.
    #[error("the schema does not fit dataset {dataset}: {reason}")]
    SchemaMismatch {
        /// The dataset being written.
        dataset: String,
        /// The first difference.
        reason: String,
    },
    /// A column type that datasets cannot hold.
    #[error("column `{column}` has the type {data_type}, which a dataset cannot hold")]
    UnsupportedType {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// Something above a bound that protects memory.
    #[error("{what} is too large: {reason}")]
    TooLarge {
        /// What.
        what: String,
        /// Its size and the bound.
        reason: String,
    },
    /// A path inside a model that would leave its folder.
    #[error("`{path}` is not a file path inside a model")]
    InvalidPath {
        /// The path given.
        path: String,
    },
    /// A file that could not be imported.
    #[error("could not import {path}: {reason}")]
    Import {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Too many others publish to the same name at this moment.
    #[error("{name} is being published by too many at once")]
    Contended {
        /// The dataset or model.
        name: String,
    },
    /// A defect of the store itself.
    #[error("the store failed inside: {reason}")]
    Internal {
        /// What failed.
        reason: String,
    },
}

impl StoreError {
    /// The stable code, for tests, logs and documentation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidName { .. } => "store.invalid_name",
            Self::InvalidLocation { .. } => "store.invalid_location",
            Self::NotFound { .. } => "store.not_found",
            Self::NoConditionalPut { .. } => "store.no_conditional_put",
            Self::Unavailable { .. } => "store.unavailable",
            Self::Denied { .. } => "store.denied",
            Self::DiskFull { .. } => "store.disk_full",
            Self::File { .. } => "store.file",
            Self::MissingBlob { .. } => "store.missing_blob",
            Self::CorruptBlob { .. } => "store.corrupt_blob",
            Self::BadManifest { .. } => "store.bad_manifest",
            Self::NewerFormat { .. } => "store.newer_format",
            Self::DuplicateKey { .. } => "store.duplicate_key",
            Self::NullKey { .. } => "store.null_key",
            Self::KeyColumn { .. } => "store.key_column",
            Self::SchemaMismatch { .. } => "store.schema_mismatch",
            Self::UnsupportedType { .. } => "store.unsupported_type",
            Self::TooLarge { .. } => "store.too_large",
            Self::InvalidPath { .. } => "store.invalid_path",
            Self::Import { .. } => "store.import",
            Self::Contended { .. } => "store.contended",
            Self::Internal { .. } => "store.internal",
        }
    }

    /// What to do about it, in a sentence or two.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound {
                known, suggestion, ..
            } => not_found_hint(known, suggestion.as_deref()),
            other => other.fixed_hint().to_owned(),
        }
    }

    /// Whether it may pass by itself, so that trying again later makes sense.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Contended { .. })
    }

    fn fixed_hint(&self) -> &'static str {
        match self {
            Self::InvalidName { .. } => {
                "Use 1 to 128 of a-z, 0-9, `_`, `-` and `.`, starting with a letter or digit; a label is neither \
                 `latest` nor a number."
            }
            Self::InvalidLocation { .. } => {
                "Give a folder, or a URL: file:///path, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix."
            }
            Self::NotFound { .. } => "Check the name.",
            Self::NoConditionalPut { .. } => {
                "Use a store that honours If-None-Match (Amazon S3, Google Cloud Storage, Azure, MinIO, Ceph from \
                 Squid) or a local folder; on this one, two publishers could overwrite each other."
            }
            Self::Unavailable { .. } => {
                "Check that the store can be reached and its credentials hold, then try again."
            }
            Self::Denied { .. } => {
                "Give this user read and write permission on the store, or use another location."
            }
            Self::DiskFull { .. } => {
                "Free some space, for example with `twinloom store gc`; what was published stays readable."
            }
            Self::File { .. } => "Check that the path exists and can be used by this user.",
            Self::MissingBlob { .. } => {
                "Run `twinloom store verify` to see what is affected, then restore the file from a backup or publish \
                 the version again from its inputs."
            }
            Self::CorruptBlob { .. } => {
                "Delete the blob and restore it from a backup, or publish the version again from its inputs; \
                 `twinloom store verify` lists what is affected."
            }
            Self::BadManifest { .. } => {
                "Restore the file from a backup; the other versions are not affected."
            }
            Self::NewerFormat { .. } => "Update Twinloom to at least the version that wrote it.",
            Self::DuplicateKey { .. } => {
                "Make the key columns unique (add one, or drop repeated rows); in a delta, remove the entity first."
            }
            Self::NullKey { .. } => "Drop the rows without a key, or give them one.",
            Self::KeyColumn { .. } => {
                "Name columns of the schema; the first key column is text, and none is a list, struct or map."
            }
            Self::SchemaMismatch { .. } => {
                "Write rows of the dataset's schema, or publish a full snapshot of the new one."
            }
            Self::UnsupportedType { .. } => "Convert the column, for example to text, a list or a struct.",
            Self::TooLarge { .. } => "Split it into smaller pieces.",
            Self::InvalidPath { .. } => "Use a relative path of plain names, without `..`.",
            Self::Import { .. } => "Fix the file at the place named; nothing was published.",
            Self::Contended { .. } => "Try again in a moment.",
            Self::Internal { .. } => "This is a defect of Twinloom: please report it with the log.",
        }
    }

    /// A defect, with what failed.
    pub(crate) fn internal(reason: impl fmt::Display) -> Self {
        Self::Internal {
            reason: reason.to_string(),
        }
    }

    /// An error of a local file; the fix depends on its kind.
    pub(crate) fn file(action: &str, path: &Path, source: io::Error) -> Self {
        let action = format!("{action} {}", path.display());
        match class_of(&source) {
            Class::Denied => Self::Denied {
                action,
                source: Box::new(source),
            },
            Class::Full => Self::DiskFull {
                action,
                source: Box::new(source),
            },
            Class::Other => Self::File { action, source },
        }
    }

    /// An error of the object store; the fix depends on its kind.
    pub(crate) fn backend(action: impl Into<String>, source: object_store::Error) -> Self {
        let action = action.into();
        let class = match &source {
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                Class::Denied
            }
            other => io_cause(other).map_or(Class::Other, class_of),
        };
        let source: Cause = Box::new(source);
        match class {
            Class::Denied => Self::Denied { action, source },
            Class::Full => Self::DiskFull { action, source },
            Class::Other => Self::Unavailable { action, source },
        }
    }
}

impl From<tokio::task::JoinError> for StoreError {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(error)
    }
}

enum Class {
    Denied,
    Full,
    Other,
}

fn class_of(error: &io::Error) -> Class {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Class::Denied,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Class::Full,
        _ => Class::Other,
    }
}

fn io_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    std::iter::successors(Some(error), |e| e.source()).find_map(|e| e.downcast_ref::<io::Error>())
}

fn not_found_hint(known: &[String], suggestion: Option<&str>) -> String {
    match (suggestion, known) {
        (Some(close), _) => format!("Did you mean `{close}`?"),
        (None, []) => "There is none yet: publish one first.".to_owned(),
        (None, some) => format!("There is: {}.", some.join(", ")),
    }
}
