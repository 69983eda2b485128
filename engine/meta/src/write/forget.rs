//! Removing what has served its time.

use jiff::Timestamp;
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};

use crate::{MetaError, entity::micros};

/// Removes keys that were seen, and decisions of triggers, from before these times.
pub async fn old(
    transaction: &DatabaseTransaction,
    seen: Timestamp,
    decisions: Timestamp,
) -> Result<u64, MetaError> {
    let backend = transaction.get_database_backend();
    let mut removed = 0;
    for (sql, before) in [
        ("DELETE FROM seen_keys WHERE at < $1", seen),
        ("DELETE FROM trigger_decisions WHERE at < $1", decisions),
    ] {
        let statement = Statement::from_sql_and_values(backend, sql, [micros(before).into()]);
        removed += transaction.execute_raw(statement).await?.rows_affected();
    }
    Ok(removed)
}
