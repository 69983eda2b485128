//! Index of dataset versions.

use sea_orm::entity::prelude::*;

use super::convert::{json_opt, number, number_opt, time};
use crate::{DatasetIndexRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dataset_versions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i64,
    pub hash: String,
    pub parent: Option<i64>,
    pub rows: i64,
    pub bytes: i64,
    pub changes: Option<String>,
    pub run: Option<String>,
    pub task: Option<String>,
    pub created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for DatasetIndexRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            name: row.name,
            version: number("dataset_versions.version", row.version)?,
            hash: row.hash,
            parent: number_opt("dataset_versions.parent", row.parent)?,
            rows: number("dataset_versions.rows", row.rows)?,
            bytes: number("dataset_versions.bytes", row.bytes)?,
            changes: json_opt("dataset_versions.changes", row.changes.as_deref())?,
            run: row.run,
            task: row.task,
            created_at: time("dataset_versions.created_at", row.created_at)?,
        })
    }
}
