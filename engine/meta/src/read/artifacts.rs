//! What tasks published, and the index of the store.

use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};

use super::plain;
use crate::{
    AliasIndexRow, ArtifactRow, DatasetIndexRow, MetaError, ModelIndexRow,
    entity::{alias, artifact, dataset_version, model_version},
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
