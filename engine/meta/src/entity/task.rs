//! Tasks.

use sea_orm::entity::prelude::*;

use super::convert::{json_opt, number, time_opt, word};
use crate::{MetaError, TaskRow};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tasks")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub position: i64,
    pub step: String,
    pub operator: String,
    pub state: String,
    pub attempt: i64,
    pub config: Option<String>,
    pub cache_key: Option<String>,
    pub metrics: Option<String>,
    pub error: Option<String>,
    pub reason: Option<String>,
    pub queued_at: Option<i64>,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub next_attempt_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for TaskRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            run: row.run,
            id: row.id,
            position: number("tasks.position", row.position)?,
            step: row.step,
            operator: row.operator,
            state: word("tasks.state", &row.state)?,
            attempt: number("tasks.attempt", row.attempt)?,
            config: json_opt("tasks.config", row.config.as_deref())?,
            cache_key: row.cache_key,
            metrics: json_opt("tasks.metrics", row.metrics.as_deref())?,
            error: json_opt("tasks.error", row.error.as_deref())?,
            reason: row.reason,
            queued_at: time_opt("tasks.queued_at", row.queued_at)?,
            started_at: time_opt("tasks.started_at", row.started_at)?,
            ended_at: time_opt("tasks.ended_at", row.ended_at)?,
            next_attempt_at: time_opt("tasks.next_attempt_at", row.next_attempt_at)?,
        })
    }
}
