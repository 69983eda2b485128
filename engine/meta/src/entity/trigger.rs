//! Triggers.

use sea_orm::entity::prelude::*;

use super::convert::{json, time, time_opt};
use crate::{MetaError, TriggerRow};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "triggers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub dag: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub kind: String,
    pub definition: String,
    pub rev: i64,
    pub cursor: i64,
    pub state: String,
    pub registered_at: i64,
    pub due_at: Option<i64>,
    pub last_fired_at: Option<i64>,
    pub last_run: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for TriggerRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            dag: row.dag,
            id: row.id,
            kind: row.kind,
            definition: json("triggers.definition", &row.definition)?,
            rev: row.rev,
            cursor: row.cursor,
            state: json("triggers.state", &row.state)?,
            registered_at: time("triggers.registered_at", row.registered_at)?,
            due_at: time_opt("triggers.due_at", row.due_at)?,
            last_fired_at: time_opt("triggers.last_fired_at", row.last_fired_at)?,
            last_run: row.last_run,
        })
    }
}
