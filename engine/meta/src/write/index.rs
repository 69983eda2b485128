//! Replacing the index as a whole.

use sea_orm::{DatabaseTransaction, EntityTrait};

use super::apply::Batches;
use crate::{Change, Index, MetaError, entity};

/// Empties the index and fills it anew, in the given transaction.
pub async fn replace(transaction: &DatabaseTransaction, index: Index) -> Result<(), MetaError> {
    entity::dataset_version::Entity::delete_many()
        .exec(transaction)
        .await?;
    entity::model_version::Entity::delete_many()
        .exec(transaction)
        .await?;
    entity::alias::Entity::delete_many().exec(transaction).await?;
    let datasets = index.datasets.into_iter().map(Change::from);
    let models = index.models.into_iter().map(Change::from);
    let aliases = index.aliases.into_iter().map(Change::from);
    let changes: Vec<Change> = datasets.chain(models).chain(aliases).collect();
    Batches::new(&changes).write(transaction).await?;
    Ok(())
}
