//! Opening databases.

use std::{future::Future, path::Path, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode,
    SqlxPostgresConnector, SqlxSqliteConnector, TransactionOptions, TransactionTrait,
    sqlx::{
        ConnectOptions as _,
        pool::PoolOptions,
        postgres::PgConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use sea_orm_migration::MigratorTrait;

use crate::{MetaError, migration::Migrator};

/// How long a writer waits for another process before it gives up.
const BUSY: Duration = Duration::from_secs(30);
/// Readers beside the writer; they close after a while without work.
const READERS: u32 = 3;
/// Connections to a server.
const CONNECTIONS: u32 = 6;
/// Idle connections are closed after this.
const IDLE: Duration = Duration::from_secs(30);

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A file.
    File(String),
    /// Gone with the process.
    Memory,
    /// A server.
    Postgres(String),
}

impl Address {
    pub fn parse(url: &str) -> Result<Self, MetaError> {
        if url == "sqlite::memory:" || url == "sqlite://:memory:" {
            return Ok(Self::Memory);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let path = url
            .strip_prefix("sqlite://")
            .or_else(|| url.strip_prefix("sqlite:"))
            .unwrap_or_default();
        if path.is_empty() {
            let reason = "it does not start with `sqlite://` or `postgres://`, or has no path".to_owned();
            return Err(MetaError::InvalidUrl {
                url: redact(url),
                reason,
            });
        }
        Ok(Self::File(path.to_owned()))
    }

    /// For people: without user, password and options.
    pub fn shown(&self) -> String {
        match self {
            Self::File(path) => format!("sqlite://{path}"),
            Self::Memory => "sqlite::memory:".to_owned(),
            Self::Postgres(url) => redact(url),
        }
    }
}

/// A writer and readers. On a server, and for a database in memory, they are the same.
#[derive(Clone)]
pub struct Pools {
    pub writer: DatabaseConnection,
    pub reader: DatabaseConnection,
}

impl Pools {
    pub async fn open(address: &Address) -> Result<Self, MetaError> {
        match address {
            Address::File(path) => retry_busy(|| open_file(path)).await,
            Address::Memory => open_memory().await,
            Address::Postgres(url) => open_postgres(url).await,
        }
    }

    /// Starts a transaction that may write.
    pub async fn begin(&self) -> Result<DatabaseTransaction, MetaError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.writer.begin_with_options(options).await?)
    }
}

async fn open_file(path: &str) -> Result<Pools, MetaError> {
    if let Some(folder) = Path::new(path)
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| MetaError::Connect {
            url: format!("sqlite://{path}"),
            reason: format!("its folder cannot be made: {error}"),
        })?;
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(false)
        .pragma("cache_size", "-1024")
        .disable_statement_logging();
    let writer = pool(1)
        .min_connections(1)
        .idle_timeout(None)
        .connect_with(options.clone())
        .await;
    let writer = SqlxSqliteConnector::from_sqlx_sqlite_pool(writer.map_err(sqlx_error)?);
    let pools = Pools {
        reader: writer.clone(),
        writer,
    };
    migrate(&pools).await?;
    // After the migration: SQLite's readers prepare their statements against the tables.
    let reader = pool(READERS).connect_lazy_with(options.pragma("query_only", "on"));
    Ok(Pools {
        reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
        ..pools
    })
}

async fn open_memory() -> Result<Pools, MetaError> {
    let options = SqliteConnectOptions::new()
        .in_memory(true)
        .foreign_keys(false)
        .disable_statement_logging();
    let only = pool(1)
        .min_connections(1)
        .idle_timeout(None)
        .connect_with(options)
        .await
        .map_err(sqlx_error)?;
    let writer = SqlxSqliteConnector::from_sqlx_sqlite_pool(only);
    let pools = Pools {
        reader: writer.clone(),
        writer,
    };
    migrate(&pools).await?;
    Ok(pools)
}

async fn open_postgres(url: &str) -> Result<Pools, MetaError> {
    let invalid = |error: sea_orm::SqlxError| MetaError::InvalidUrl {
        url: redact(url),
        reason: plain_reason(&error),
    };
    let options: PgConnectOptions = url.parse().map_err(invalid)?;
    let options = options.application_name("twinloom").disable_statement_logging();
    let connect = pool(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await;
    let only = connect.map_err(|error| MetaError::Connect {
        url: redact(url),
        reason: plain_reason(&error),
    })?;
    let writer = SqlxPostgresConnector::from_sqlx_postgres_pool(only);
    let pools = Pools {
        reader: writer.clone(),
        writer,
    };
    migrate(&pools).await?;
    Ok(pools)
}

fn pool<DB: sqlx::Database>(size: u32) -> PoolOptions<DB> {
    // A connection is not asked whether it lives before each use: that would be a round trip more for every statement.
    PoolOptions::new()
        .max_connections(size)
        .min_connections(0)
        .acquire_timeout(BUSY * 2)
        .idle_timeout(IDLE)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Brings the tables up to date in one transaction, so that processes that start together do it once.
async fn migrate(pools: &Pools) -> Result<(), MetaError> {
    let transaction = pools.begin().await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction
            .execute_unprepared("SELECT pg_advisory_xact_lock(8391475620)")
            .await?;
    }
    match Migrator::up(&transaction, None).await {
        Ok(()) => Ok(transaction.commit().await?),
        Err(sea_orm::DbErr::Custom(reason)) => Err(MetaError::TooNew { reason }),
        Err(error) => Err(error.into()),
    }
}

/// SQLite's change to the write-ahead log does not wait for others by itself.
async fn retry_busy<T, F: Future<Output = Result<T, MetaError>>>(
    open: impl Fn() -> F,
) -> Result<T, MetaError> {
    let mut waited = Duration::ZERO;
    let pause = Duration::from_millis(25);
    loop {
        match open().await {
            Err(MetaError::Busy { .. }) if waited < BUSY => {
                tokio::time::sleep(pause).await;
                waited += pause;
            }
            result => return result,
        }
    }
}

fn sqlx_error(error: sea_orm::SqlxError) -> MetaError {
    MetaError::from(error)
}

/// The driver's words; its errors about options may quote the URL.
fn plain_reason(error: &sea_orm::SqlxError) -> String {
    match error {
        sea_orm::SqlxError::Configuration(_) => "the driver cannot read it".to_owned(),
        other => other.to_string(),
    }
}

/// Keeps scheme, host and path of a URL; nothing where it is not clear where the password ends.
fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "…".to_owned();
    };
    let (place, options) = rest.split_once(['?', '#']).unwrap_or((rest, ""));
    if options.contains('@') {
        return format!("{scheme}://…");
    }
    let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
    format!("{scheme}://{place}")
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn no_url_shows_its_password() {
        for url in [
            "postgres://ada:s3cret@db/x",
            "postgres://ada:s3@cret@db/x",
            "postgres://ada:s3cret?@db/x",
            "postgres://db/x?user=ada&password=s3cret",
            "ada:s3cret@db",
            "postgres://ada:s3#cret@db/x",
        ] {
            assert!(!redact(url).contains("cret"), "{}", redact(url));
        }
        assert_eq!(
            redact("postgres://ada:s3cret@db:5432/twin?sslmode=disable"),
            "postgres://db:5432/twin"
        );
    }
}
