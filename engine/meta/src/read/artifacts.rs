//! What tasks published, and the index of the store.

use jiff::Timestamp;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::plain;
use crate::{
    AliasIndexRow, ArtifactRow, DatasetIndexRow, MetaError, ModelIndexRow,
    entity::{alias, artifact, dataset_version, model_version, task, time_opt},
};

pub async fn of_run(db: &DatabaseConnection, run: &str) -> Result<Vec<ArtifactRow>, MetaError> {
    use artifact::{Column, Entity};
    let query = Entity::find().filter(Column::Run.eq(run));
    plain(
        query
            .order_by_asc(Column::Task)
            .order_by_asc(Column::Port)
            .all(db)
            .await?,
    )
}

pub async fn datasets(
    db: &DatabaseConnection,
    name: Option<&str>,
) -> Result<Vec<DatasetIndexRow>, MetaError> {
    use dataset_version::{Column, Entity};
    let mut query = Entity::find();
    if let Some(name) = name {
        query = query.filter(Column::Name.eq(name));
    }
    plain(
        query
            .order_by_asc(Column::Name)
            .order_by_asc(Column::Version)
            .all(db)
            .await?,
    )
}

pub async fn models(db: &DatabaseConnection, name: Option<&str>) -> Result<Vec<ModelIndexRow>, MetaError> {
    use model_version::{Column, Entity};
    let mut query = Entity::find();
    if let Some(name) = name {
        query = query.filter(Column::Name.eq(name));
    }
    plain(
        query
            .order_by_asc(Column::Name)
            .order_by_asc(Column::Version)
            .all(db)
            .await?,
    )
}

pub async fn aliases(db: &DatabaseConnection, name: Option<&str>) -> Result<Vec<AliasIndexRow>, MetaError> {
    use alias::{Column, Entity};
    let mut query = Entity::find();
    if let Some(name) = name {
        query = query.filter(Column::Name.eq(name));
    }
    plain(
        query
            .order_by_asc(Column::Kind)
            .order_by_asc(Column::Name)
            .order_by_asc(Column::Alias)
            .all(db)
            .await?,
    )
}

/// When the newest version was made, or last found to be unchanged.
pub async fn confirmed_at(db: &DatabaseConnection, name: &str) -> Result<Option<Timestamp>, MetaError> {
    use artifact::{Column, Entity};
    let newest = dataset_version::Entity::find()
        .filter(dataset_version::Column::Name.eq(name))
        .order_by_desc(dataset_version::Column::Version)
        .one(db)
        .await?;
    let Some(newest) = newest else { return Ok(None) };
    let mut at = newest.created_at;
    let makers = Entity::find()
        .filter(Column::Kind.eq("dataset"))
        .filter(Column::Name.eq(name))
        .filter(Column::Version.eq(newest.version))
        .filter(Column::Outcome.eq("unchanged"))
        .all(db)
        .await?;
    for maker in makers {
        let ended: Option<Option<i64>> = task::Entity::find_by_id((maker.run, maker.task))
            .select_only()
            .column(task::Column::EndedAt)
            .into_tuple()
            .one(db)
            .await?;
        at = at.max(ended.flatten().unwrap_or(at));
    }
    time_opt("dataset_versions.created_at", Some(at))
}
