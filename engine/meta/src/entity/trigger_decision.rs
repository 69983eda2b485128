//! What triggers decided.

use sea_orm::entity::prelude::*;

use super::convert::time;
use crate::{MetaError, TriggerDecisionRow};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trigger_decisions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub dag: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub trigger: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub cause: String,
    pub event: Option<i64>,
    pub at: i64,
    pub fired: bool,
    pub run: Option<String>,
    pub reason: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for TriggerDecisionRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            dag: row.dag,
            trigger: row.trigger,
            cause: row.cause,
            event: row.event,
            at: time("trigger_decisions.at", row.at)?,
            fired: row.fired,
            run: row.run,
            reason: row.reason,
        })
    }
}
