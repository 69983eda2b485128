//! What can go wrong with the metadata, with a stable code and what to do.

use sea_orm::{DbErr, RuntimeErr, SqlxError, SqlxSqliteError};

/// An error of the metadata database. No message holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// The URL is not one of a database that we know.
    #[error("`{url}` is not a metadata database: {reason}")]
    InvalidUrl {
        /// The URL without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database cannot be reached or opened.
    #[error("the metadata database {url} cannot be opened: {reason}")]
    Connect {
        /// The URL without its password.
        url: String,
        /// What the driver says.
        reason: String,
    },
    /// A newer Twinloom has written it.
    #[error("the metadata database was written by a newer Twinloom: {reason}")]
    TooNew {
        /// Which migration is unknown.
        reason: String,
    },
    /// Another process owns the run by now.
    #[error("run {run} has another owner by now")]
    Fenced {
        /// The run.
        run: String,
    },
    /// What was read before a change has changed meanwhile.
    #[error("{what} `{id}` has changed meanwhile")]
    Superseded {
        /// `trigger`, `approval`.
        what: &'static str,
        /// Which: `dag/trigger`, `run/task`.
        id: String,
    },
    /// There is no such thing.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// `run`, `task`.
        what: &'static str,
        /// What was asked for.
        id: String,
    },
    /// A prefix fits several.
    #[error("`{id}` fits several {what}s: {matches}")]
    Ambiguous {
        /// `run`.
        what: &'static str,
        /// What was asked for.
        id: String,
        /// Some that it fits.
        matches: String,
    },
    /// A row of that key stands already.
    #[error("it stands already: {reason}")]
    Exists {
        /// What the database says.
        reason: String,
    },
    /// Others kept the database busy for too long.
    #[error("the metadata database was busy for too long: {reason}")]
    Busy {
        /// What the database says.
        reason: String,
    },
    /// The disk is full, or the database may not be written.
    #[error("the metadata database cannot be written: {reason}")]
    NotWritable {
        /// What the database says.
        reason: String,
    },
    /// A row does not hold what it should.
    #[error("the metadata database holds an unreadable value in {place}: {reason}")]
    Corrupt {
        /// Table and column.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// Any other failure of the database.
    #[error("the metadata database failed: {reason}")]
    Database {
        /// What it says.
        reason: String,
    },
}

impl MetaError {
    /// Stable, dotted, lower case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidUrl { .. } => "meta.invalid_url",
            Self::Connect { .. } => "meta.connect",
            Self::TooNew { .. } => "meta.too_new",
            Self::Fenced { .. } => "meta.fenced",
            Self::Superseded { .. } => "meta.superseded",
            Self::NotFound { .. } => "meta.not_found",
            Self::Ambiguous { .. } => "meta.ambiguous",
            Self::Exists { .. } => "meta.exists",
            Self::Busy { .. } => "meta.busy",
            Self::NotWritable { .. } => "meta.not_writable",
            Self::Corrupt { .. } => "meta.corrupt",
            Self::Database { .. } => "meta.database",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InvalidUrl { .. } => "Give `sqlite://PATH` or `postgres://USER@HOST/DATABASE`.",
            Self::Connect { .. } => {
                "Check that the folder is writable, or that the server runs and lets this user in."
            }
            Self::TooNew { .. } => "Use the newer Twinloom, or another `--home`.",
            Self::Fenced { .. } => "The new owner goes on with the run; nothing is to be done here.",
            Self::Superseded { .. } => "Read it again; if the change still makes sense, repeat it.",
            Self::NotFound { what: "user", .. } => "`twinloom user list` lists them.",
            Self::NotFound { .. } => "List what there is with `twinloom runs`.",
            Self::Ambiguous { .. } => "Give more letters of the id.",
            Self::Exists { .. } => "Use another id.",
            Self::Busy { .. } => "Try again; if it stays, look for a process that holds the database open.",
            Self::NotWritable { .. } => {
                "Make room on the disk, or give write permission on the file and its folder."
            }
            Self::Corrupt { .. } => {
                "Restore the database from a backup, or rebuild the index with `twinloom store reindex`."
            }
            Self::Database { .. } => "Look at the database's own log.",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Connect { .. })
    }
}

impl From<DbErr> for MetaError {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::Conn(RuntimeErr::SqlxError(inner))
            | DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Query(RuntimeErr::SqlxError(inner)) => from_sqlx(inner),
            DbErr::ConnectionAcquire(_) => Self::Busy {
                reason: "no connection came free in time".to_owned(),
            },
            other => Self::Database {
                reason: other.to_string(),
            },
        }
    }
}

impl From<SqlxError> for MetaError {
    fn from(error: SqlxError) -> Self {
        from_sqlx(&error)
    }
}

fn from_sqlx(error: &SqlxError) -> MetaError {
    let reason = match error {
        // May quote the connection URL.
        SqlxError::Configuration(_) => "the driver cannot use its options".to_owned(),
        other => other.to_string(),
    };
    match error {
        SqlxError::PoolTimedOut => MetaError::Busy { reason },
        SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::PoolClosed | SqlxError::WorkerCrashed => {
            MetaError::Connect {
                url: "in use".to_owned(),
                reason,
            }
        }
        SqlxError::Database(inner) => {
            let code = inner.code().unwrap_or_default();
            if inner.try_downcast_ref::<SqlxSqliteError>().is_some() {
                from_sqlite(code.parse().unwrap_or(1), reason)
            } else {
                from_postgres(&code, reason)
            }
        }
        _ => MetaError::Database { reason },
    }
}

/// By SQLite's extended result code, whose lowest byte is the primary one.
fn from_sqlite(code: i32, reason: String) -> MetaError {
    match (code, code & 0xff) {
        (1555 | 2067, _) => MetaError::Exists { reason },
        // SQLITE_BUSY, SQLITE_LOCKED
        (_, 5 | 6) => MetaError::Busy { reason },
        // SQLITE_READONLY, SQLITE_FULL, SQLITE_CANTOPEN
        (_, 8 | 13 | 14) => MetaError::NotWritable { reason },
        // SQLITE_CORRUPT, SQLITE_NOTADB
        (_, 11 | 26) => MetaError::Corrupt {
            place: "its file".to_owned(),
            reason,
        },
        _ => MetaError::Database { reason },
    }
}

/// By SQLSTATE.
fn from_postgres(code: &str, reason: String) -> MetaError {
    match code {
        "23505" => MetaError::Exists { reason },
        // serialization_failure, deadlock_detected, lock_not_available
        "40001" | "40P01" | "55P03" => MetaError::Busy { reason },
        // disk_full, read_only_sql_transaction, insufficient_privilege
        "53100" | "25006" | "42501" => MetaError::NotWritable { reason },
        // too_many_connections, and the server going away
        "53300" | "57P01" | "57P02" | "57P03" => MetaError::Connect {
            url: "in use".to_owned(),
            reason,
        },
        _ if code.starts_with("08") => MetaError::Connect {
            url: "in use".to_owned(),
            reason,
        },
        _ => MetaError::Database { reason },
    }
}
