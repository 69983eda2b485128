//! Bringing the index to what a walk over the store found.

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};

use super::apply::Batches;
use crate::{ArtifactKind, Change, Index, IndexKey, MetaError, entity};

/// Writes these rows over what there is, and removes those; all others stay as they are.
pub async fn update(
    transaction: &DatabaseTransaction,
    found: Index,
    gone: &[IndexKey],
) -> Result<(), MetaError> {
    for key in gone {
        remove(transaction, key).await?;
    }
    let datasets = found.datasets.into_iter().map(Change::from);
    let models = found.models.into_iter().map(Change::from);
    let aliases = found.aliases.into_iter().map(Change::from);
    let changes: Vec<Change> = datasets.chain(models).chain(aliases).collect();
    Batches::new(&changes).write(transaction).await?;
    Ok(())
}

async fn remove(transaction: &DatabaseTransaction, key: &IndexKey) -> Result<(), MetaError> {
    match key {
        IndexKey::Version {
            kind: ArtifactKind::Dataset,
            name,
            version,
        } => {
            use entity::dataset_version::{Column, Entity};
            let rows = Entity::delete_many().filter(Column::Name.eq(name.as_str()));
            rows.filter(Column::Version.eq(number(*version)))
                .exec(transaction)
                .await?;
        }
        IndexKey::Version {
            kind: ArtifactKind::Model,
            name,
            version,
        } => {
            use entity::model_version::{Column, Entity};
            let rows = Entity::delete_many().filter(Column::Name.eq(name.as_str()));
            rows.filter(Column::Version.eq(number(*version)))
                .exec(transaction)
                .await?;
        }
        IndexKey::Label { kind, name, label } => {
            use entity::alias::{Column, Entity};
            let rows = Entity::delete_many().filter(Column::Kind.eq(kind.as_str()));
            let rows = rows.filter(Column::Name.eq(name.as_str()));
            rows.filter(Column::Alias.eq(label.as_str()))
                .exec(transaction)
                .await?;
        }
    }
    Ok(())
}

/// As the column holds it.
fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
