//! The index of versions, in pages: the newest version of each name, the versions of one, labels of many.

use std::collections::BTreeMap;

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{Meta, pages::KEYS};
use crate::{
    AliasIndexRow, ArtifactKind, DatasetIndexRow, IndexTotals, MetaError, ModelIndexRow,
    entity::{alias, dataset_version, model_version},
};

impl Meta {
    /// The newest version of each dataset with the number of its versions, by name, after a name.
    ///
    /// # Errors
    /// As for every method.
    pub async fn latest_datasets(
        &self,
        text: Option<&str>,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<(DatasetIndexRow, u64)>, MetaError> {
        use dataset_version::{Column, Entity};
        let columns = (Column::Name, Column::Version);
        self.latest::<Entity, _, _>(columns, text, after, limit, |row: &DatasetIndexRow| &row.name)
            .await
    }

    /// The newest version of each model with the number of its versions, by name, after a name.
    ///
    /// # Errors
    /// As for every method.
    pub async fn latest_models(
        &self,
        text: Option<&str>,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<(ModelIndexRow, u64)>, MetaError> {
        use model_version::{Column, Entity};
        let columns = (Column::Name, Column::Version);
        self.latest::<Entity, _, _>(columns, text, after, limit, |row: &ModelIndexRow| &row.name)
            .await
    }

    async fn latest<E, C, R>(
        &self,
        (name, version): (C, C),
        text: Option<&str>,
        after: Option<&str>,
        limit: u64,
        name_of: impl Fn(&R) -> &String,
    ) -> Result<Vec<(R, u64)>, MetaError>
    where
        E: EntityTrait,
        C: ColumnTrait,
        R: TryFrom<E::Model, Error = MetaError>,
    {
        let mut query = E::find()
            .select_only()
            .column(name)
            .column_as(Expr::col(version).max(), "newest")
            .column_as(Expr::col(version).count(), "versions");
        if let Some(text) = text {
            query = query.filter(name.contains(text));
        }
        if let Some(after) = after {
            query = query.filter(name.gt(after));
        }
        let newest: Vec<(String, i64, i64)> = query
            .group_by(name)
            .order_by_asc(name)
            .limit(limit)
            .into_tuple()
            .all(&self.pools.reader)
            .await?;
        let mut found = Vec::with_capacity(newest.len());
        for newest in newest.chunks(KEYS / 2) {
            let counts: BTreeMap<&str, i64> = newest
                .iter()
                .map(|(name, _, count)| (name.as_str(), *count))
                .collect();
            let mut keys = Condition::any();
            for (key, number, _) in newest {
                keys = keys.add(name.eq(key).and(version.eq(*number)));
            }
            let rows = E::find().filter(keys).order_by_asc(name).all(&self.pools.reader);
            for row in rows.await? {
                let row = R::try_from(row)?;
                let count = counts.get(name_of(&row).as_str()).copied().unwrap_or_default();
                found.push((row, u64::try_from(count).unwrap_or_default()));
            }
        }
        Ok(found)
    }

    /// Versions of a dataset, newest first, before a version.
    ///
    /// # Errors
    /// As for every method.
    pub async fn dataset_versions(
        &self,
        name: &str,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<DatasetIndexRow>, MetaError> {
        use dataset_version::{Column, Entity};
        let rows = Entity::find().filter(Column::Name.eq(name));
        let rows = newest_first(rows, Column::Version, before, limit);
        let found = rows.all(&self.pools.reader).await?;
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// Versions of a model, newest first, before a version.
    ///
    /// # Errors
    /// As for every method.
    pub async fn model_versions(
        &self,
        name: &str,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<ModelIndexRow>, MetaError> {
        use model_version::{Column, Entity};
        let rows = Entity::find().filter(Column::Name.eq(name));
        let rows = newest_first(rows, Column::Version, before, limit);
        let found = rows.all(&self.pools.reader).await?;
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// Tags of many datasets, or aliases of many models, at once: by name, and of each by label.
    ///
    /// # Errors
    /// As for every method.
    pub async fn labels_of(
        &self,
        kind: ArtifactKind,
        names: &[&str],
    ) -> Result<BTreeMap<String, Vec<AliasIndexRow>>, MetaError> {
        use alias::{Column, Entity};
        let mut found: BTreeMap<String, Vec<AliasIndexRow>> = BTreeMap::new();
        for names in names.chunks(KEYS) {
            let rows = Entity::find()
                .filter(Column::Kind.eq(kind.as_str()))
                .filter(Column::Name.is_in(names.iter().copied()))
                .order_by_asc(Column::Alias)
                .all(&self.pools.reader)
                .await?;
            for row in rows {
                let row = AliasIndexRow::try_from(row)?;
                found.entry(row.name.clone()).or_default().push(row);
            }
        }
        Ok(found)
    }

    /// How much the index holds, counted by the database.
    ///
    /// # Errors
    /// As for every method.
    pub async fn index_totals(&self) -> Result<IndexTotals, MetaError> {
        let datasets = self
            .counts::<dataset_version::Entity, _>(dataset_version::Column::Name)
            .await?;
        let models = self
            .counts::<model_version::Entity, _>(model_version::Column::Name)
            .await?;
        Ok(IndexTotals {
            latest_bytes: self.latest_bytes().await?,
            datasets: datasets.0,
            dataset_versions: datasets.1,
            models: models.0,
            model_versions: models.1,
        })
    }

    /// What the newest version of each dataset refers to.
    async fn latest_bytes(&self) -> Result<u64, MetaError> {
        use dataset_version::{Column, Entity};
        let mut newest = Query::select();
        newest
            .column(Column::Name)
            .expr(Expr::col(Column::Version).max())
            .from(Entity)
            .group_by_col(Column::Name);
        let key = Expr::tuple([Expr::col(Column::Name), Expr::col(Column::Version)]);
        // A sum of bigint is numeric in Postgres.
        let bytes: Option<Option<i64>> = Entity::find()
            .select_only()
            .column_as(Expr::col(Column::Bytes).sum().cast_as("bigint"), "bytes")
            .filter(key.in_subquery(newest))
            .into_tuple()
            .one(&self.pools.reader)
            .await?;
        Ok(u64::try_from(bytes.flatten().unwrap_or_default()).unwrap_or_default())
    }

    /// Different names, and rows.
    async fn counts<E: EntityTrait, C: ColumnTrait>(&self, name: C) -> Result<(u64, u64), MetaError> {
        let counted: Option<(i64, i64)> = E::find()
            .select_only()
            .column_as(Expr::col(name).count_distinct(), "names")
            .column_as(Expr::col(name).count(), "rows")
            .into_tuple()
            .one(&self.pools.reader)
            .await?;
        let (names, rows) = counted.unwrap_or_default();
        Ok((
            u64::try_from(names).unwrap_or_default(),
            u64::try_from(rows).unwrap_or_default(),
        ))
    }
}

fn newest_first<E: EntityTrait>(
    query: Select<E>,
    version: impl ColumnTrait,
    before: Option<i64>,
    limit: u64,
) -> Select<E> {
    let query = match before {
        Some(before) => query.filter(version.lt(before)),
        None => query,
    };
    query.order_by_desc(version).limit(limit)
}
