//! Answers of people.

use sea_orm::entity::prelude::*;

use super::convert::{json, time};
use crate::{DecisionRow, MetaError};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "decisions")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub run: String,
    pub task: String,
    pub approved: bool,
    pub by: String,
    pub at: i64,
    pub comment: Option<String>,
    pub evidence: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for DecisionRow {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            run: row.run,
            task: row.task,
            approved: row.approved,
            by: row.by,
            at: time("decisions.at", row.at)?,
            comment: row.comment,
            evidence: json("decisions.evidence", &row.evidence)?,
        })
    }
}
