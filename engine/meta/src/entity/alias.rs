//! Index of tags and aliases.

use sea_orm::entity::prelude::*;

use super::convert::{number, number_opt, time, word};
use crate::{AliasIndexRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "aliases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub alias: String,
    pub version: i64,
    pub previous: Option<i64>,
    pub by: String,
    pub reason: String,
    pub moved_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for AliasIndexRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            kind: word("aliases.kind", &row.kind)?,
            name: row.name,
            alias: row.alias,
            version: number("aliases.version", row.version)?,
            previous: number_opt("aliases.previous", row.previous)?,
            by: row.by,
            reason: row.reason,
            moved_at: time("aliases.moved_at", row.moved_at)?,
        })
    }
}
