//! Points of curves.

use sea_orm::entity::prelude::*;

use super::convert::time;
use crate::{MetaError, MetricPoint};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "metric_points")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub run: String,
    pub task: String,
    pub name: String,
    pub step: Option<i64>,
    pub value: Option<f64>,
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for MetricPoint {
    type Error = MetaError;
    fn try_from(row: Model) -> Result<Self, MetaError> {
        Ok(Self {
            run: row.run,
            task: row.task,
            name: row.name,
            step: row.step,
            value: row.value.unwrap_or(f64::NAN),
            at: time("metric_points.at", row.at)?,
        })
    }
}
