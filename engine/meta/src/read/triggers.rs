//! Triggers, their decisions, and paused DAGs.

use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::plain;
use crate::{
    DagStateRow, MetaError, TriggerDecisionRow, TriggerRow,
    entity::{dag_state, trigger, trigger_decision},
};

pub async fn list(db: &DatabaseConnection, dag: Option<&str>) -> Result<Vec<TriggerRow>, MetaError> {
    use trigger::{Column, Entity};
    let mut query = Entity::find();
    if let Some(dag) = dag {
        query = query.filter(Column::Dag.eq(dag));
    }
    plain(
        query
            .order_by_asc(Column::Dag)
            .order_by_asc(Column::Id)
            .all(db)
            .await?,
    )
}

/// Newest first.
pub async fn decisions(
    db: &DatabaseConnection,
    dag: &str,
    limit: u64,
) -> Result<Vec<TriggerDecisionRow>, MetaError> {
    use trigger_decision::{Column, Entity};
    plain(
        Entity::find()
            .filter(Column::Dag.eq(dag))
            .order_by_desc(Column::At)
            .order_by_desc(Column::Event)
            .limit(limit)
            .all(db)
            .await?,
    )
}

pub async fn dag_states(db: &DatabaseConnection) -> Result<Vec<DagStateRow>, MetaError> {
    plain(dag_state::Entity::find().all(db).await?)
}
