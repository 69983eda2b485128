//! Removing what has served its time.

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};

use crate::{Before, MetaError, entity::micros};

/// Removes what is from before these times.
pub async fn old(transaction: &DatabaseTransaction, before: Before) -> Result<u64, MetaError> {
    let backend = transaction.get_database_backend();
    let mut removed = 0;
    for (sql, before) in [
        ("DELETE FROM seen_keys WHERE at < $1", before.seen),
        ("DELETE FROM trigger_decisions WHERE at < $1", before.decisions),
        ("DELETE FROM kept_answers WHERE at < $1", before.answers),
        ("DELETE FROM audit_log WHERE at < $1", before.audit),
    ] {
        let statement = Statement::from_sql_and_values(backend, sql, [micros(before).into()]);
        removed += transaction.execute_raw(statement).await?.rows_affected();
    }
    Ok(removed)
}
