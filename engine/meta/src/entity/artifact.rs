//! What tasks published.

use sea_orm::entity::prelude::*;

use super::convert::{number, number_opt, word};
use crate::{ArtifactRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "artifacts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub task: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub port: String,
    pub kind: String,
    pub name: String,
    pub version: i64,
    pub hash: String,
    pub outcome: String,
    pub rows: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for ArtifactRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            run: row.run,
            task: row.task,
            port: row.port,
            kind: word("artifacts.kind", &row.kind)?,
            name: row.name,
            version: number("artifacts.version", row.version)?,
            hash: row.hash,
            outcome: row.outcome,
            rows: number_opt("artifacts.rows", row.rows)?,
        })
    }
}
