//! Attempts.

use sea_orm::entity::prelude::*;

use super::convert::{json_opt, number, time, time_opt};
use crate::{AttemptRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub task: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt: i64,
    pub pid: Option<i64>,
    pub pgid: Option<i64>,
    pub process: Option<String>,
    pub started_at: i64,
    pub ended_at: Option<i64>,
    pub outcome: Option<String>,
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for AttemptRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            run: row.run,
            task: row.task,
            attempt: number("attempts.attempt", row.attempt)?,
            pid: row.pid,
            pgid: row.pgid,
            process: row.process,
            started_at: time("attempts.started_at", row.started_at)?,
            ended_at: time_opt("attempts.ended_at", row.ended_at)?,
            outcome: row.outcome,
            error: json_opt("attempts.error", row.error.as_deref())?,
        })
    }
}
