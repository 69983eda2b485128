//! What a run follows.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "run_documents")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run: String,
    pub plan: String,
    pub dag_text: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
