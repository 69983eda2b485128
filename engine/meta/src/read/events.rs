//! The logs.

use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::plain;
use crate::{
    AuditRow, EventRow, MetaError,
    entity::{
        audit,
        event::{Column, Entity},
    },
};

pub async fn after(db: &DatabaseConnection, cursor: i64, limit: u64) -> Result<Vec<EventRow>, MetaError> {
    plain(
        Entity::find()
            .filter(Column::Id.gt(cursor))
            .order_by_asc(Column::Id)
            .limit(limit)
            .all(db)
            .await?,
    )
}

/// In the order of their ids; those that are not there are left out.
pub async fn of_ids(db: &DatabaseConnection, ids: &[i64]) -> Result<Vec<EventRow>, MetaError> {
    let mut found = Vec::new();
    for ids in ids.chunks(500) {
        let query = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
        found.extend(query.order_by_asc(Column::Id).all(db).await?);
    }
    plain(found)
}

pub async fn last(db: &DatabaseConnection) -> Result<i64, MetaError> {
    let id: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Id)
        .order_by_desc(Column::Id)
        .into_tuple()
        .one(db)
        .await?;
    Ok(id.unwrap_or(0))
}

/// Newest first.
pub async fn audit(db: &DatabaseConnection, limit: u64) -> Result<Vec<AuditRow>, MetaError> {
    plain(
        audit::Entity::find()
            .order_by_desc(audit::Column::Id)
            .limit(limit)
            .all(db)
            .await?,
    )
}
