//! Run heads.

use sea_orm::entity::prelude::*;

use super::convert::{json, json_opt, time, time_opt, word};
use crate::{MetaError, RunHead};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "runs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub dag: String,
    pub params: String,
    pub state: String,
    pub trigger: String,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub owner: Option<String>,
    pub epoch: i64,
    pub lease_until: Option<i64>,
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for RunHead {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            id: row.id,
            dag: row.dag,
            params: json("runs.params", &row.params)?,
            state: word("runs.state", &row.state)?,
            trigger: json("runs.trigger", &row.trigger)?,
            created_at: time("runs.created_at", row.created_at)?,
            started_at: time_opt("runs.started_at", row.started_at)?,
            ended_at: time_opt("runs.ended_at", row.ended_at)?,
            owner: row.owner,
            epoch: row.epoch,
            lease_until: time_opt("runs.lease_until", row.lease_until)?,
            error: json_opt("runs.error", row.error.as_deref())?,
        })
    }
}
