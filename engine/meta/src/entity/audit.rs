//! Who did what.

use sea_orm::entity::prelude::*;

use super::convert::{json, time};
use crate::{AuditRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_log")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub at: i64,
    pub by: String,
    pub action: String,
    pub subject: String,
    pub detail: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for AuditRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            at: time("audit_log.at", row.at)?,
            by: row.by,
            action: row.action,
            subject: row.subject,
            detail: json("audit_log.detail", &row.detail)?,
        })
    }
}
