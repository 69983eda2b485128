//! Who runs a run.

use jiff::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};

use crate::{MetaError, entity::micros};

/// Makes `owner` the owner if the epoch is still the expected one; the new epoch.
pub async fn claim(
    transaction: &DatabaseTransaction,
    id: &str,
    owner: &str,
    expected_epoch: i64,
    lease_until: Timestamp,
) -> Result<Option<i64>, MetaError> {
    let statement = Statement::from_sql_and_values(
        transaction.get_database_backend(),
        "UPDATE runs SET owner = $1, lease_until = $2, epoch = epoch + 1 WHERE id = $3 AND epoch = $4 RETURNING epoch",
        [
            owner.into(),
            micros(lease_until).into(),
            id.into(),
            expected_epoch.into(),
        ],
    );
    let row = transaction.query_one_raw(statement).await?;
    row.map(|row| row.try_get_by_index(0))
        .transpose()
        .map_err(MetaError::from)
}

/// Moves the end of the owner's leases; none is the end of them. The number of runs.
pub async fn renew(
    transaction: &DatabaseTransaction,
    owner: &str,
    until: Option<Timestamp>,
) -> Result<u64, MetaError> {
    let statement = Statement::from_sql_and_values(
        transaction.get_database_backend(),
        "UPDATE runs SET lease_until = $1 WHERE owner = $2 AND state IN ('queued', 'running', 'waiting')",
        [Value::BigInt(until.map(micros)), owner.into()],
    );
    Ok(transaction.execute_raw(statement).await?.rows_affected())
}
