//! The event log.

use sea_orm::entity::prelude::*;

use super::convert::{json, time};
use crate::{EventRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    pub kind: String,
    pub subject: String,
    pub payload: String,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for EventRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            id: row.id,
            kind: row.kind,
            subject: row.subject,
            payload: json("events.payload", &row.payload)?,
            at: time("events.at", row.at)?,
        })
    }
}
