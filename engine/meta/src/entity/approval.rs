//! Questions to people.

use sea_orm::entity::prelude::*;

use super::convert::{json, number, time, time_opt};
use crate::{ApprovalRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "approvals")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub task: String,
    pub request: String,
    pub opened_at: i64,
    pub expires_at: Option<i64>,
    pub closed_at: Option<i64>,
    pub outcome: Option<String>,
    pub given: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for ApprovalRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            run: row.run,
            task: row.task,
            request: json("approvals.request", &row.request)?,
            opened_at: time("approvals.opened_at", row.opened_at)?,
            expires_at: time_opt("approvals.expires_at", row.expires_at)?,
            closed_at: time_opt("approvals.closed_at", row.closed_at)?,
            outcome: row.outcome,
            given: number("approvals.given", row.given)?,
        })
    }
}
