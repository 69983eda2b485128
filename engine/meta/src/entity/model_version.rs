//! Index of model versions.

use sea_orm::entity::prelude::*;

use super::convert::{json, number, time};
use crate::{MetaError, ModelIndexRow};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "model_versions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    pub hash: String,
    pub base: Option<String>,
    pub metrics: String,
    pub run: Option<String>,
    pub task: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for ModelIndexRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            name: row.name,
            version: number("model_versions.version", row.version)?,
            hash: row.hash,
            base: row.base,
            metrics: json("model_versions.metrics", &row.metrics)?,
            run: row.run,
            task: row.task,
            created_at: time("model_versions.created_at", row.created_at)?,
        })
    }
}
