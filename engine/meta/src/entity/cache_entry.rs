//! Results that may be used again.

use sea_orm::entity::prelude::*;

use super::convert::{json, time};
use crate::{CacheRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "cache_entries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub outputs: String,
    pub metrics: String,
    pub run: String,
    pub task: String,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for CacheRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            key: row.key,
            outputs: json("cache_entries.outputs", &row.outputs)?,
            metrics: json("cache_entries.metrics", &row.metrics)?,
            run: row.run,
            task: row.task,
            at: time("cache_entries.at", row.at)?,
        })
    }
}
