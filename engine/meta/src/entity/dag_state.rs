//! Paused DAGs.

use sea_orm::entity::prelude::*;

use super::convert::time;
use crate::{DagStateRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dag_states")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub dag: String,
    pub paused: bool,
    pub by: String,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for DagStateRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            dag: row.dag,
            paused: row.paused,
            by: row.by,
            at: time("dag_states.at", row.at)?,
        })
    }
}
