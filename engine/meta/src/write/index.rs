//! Bringing the index to what a walk over the store found.

use sea_orm::{DatabaseTransaction, EntityTrait};

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
    use entity::{alias, dataset_version, model_version};
    match key.clone() {
        IndexKey::Version { kind, name, version } => {
            let key = (name, i64::try_from(version).unwrap_or(i64::MAX));
            match kind {
                ArtifactKind::Dataset => {
                    dataset_version::Entity::delete_by_id(key)
                        .exec(transaction)
                        .await?
                }
                ArtifactKind::Model => model_version::Entity::delete_by_id(key).exec(transaction).await?,
            }
        }
        IndexKey::Label { kind, name, label } => {
            alias::Entity::delete_by_id((kind.as_str().to_owned(), name, label))
                .exec(transaction)
                .await?
        }
    };
    Ok(())
}
