//! Tasks, attempts, curves, results and questions.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::plain;
use crate::{
    ApprovalRow, AttemptRow, CacheRow, DecisionRow, MetaError, MetricPoint, MetricSeries, TaskRow,
    entity::{approval, attempt, cache_entry, decision, metric_point, task},
};

/// Keys in one query: well below either database's limit on parameters.
const KEYS: usize = 500;

pub async fn list(db: &DatabaseConnection, run: &str) -> Result<Vec<TaskRow>, MetaError> {
    use task::{Column, Entity};
    plain(
        Entity::find()
            .filter(Column::Run.eq(run))
            .order_by_asc(Column::Position)
            .all(db)
            .await?,
    )
}

pub async fn one(db: &DatabaseConnection, run: &str, id: &str) -> Result<TaskRow, MetaError> {
    let found = task::Entity::find_by_id((run.to_owned(), id.to_owned()))
        .one(db)
        .await?;
    found
        .ok_or_else(|| MetaError::NotFound {
            what: "task",
            id: format!("{run}/{id}"),
        })?
        .try_into()
}

pub async fn attempts(
    db: &DatabaseConnection,
    run: Option<&str>,
    task: Option<&str>,
    open: bool,
) -> Result<Vec<AttemptRow>, MetaError> {
    use attempt::{Column, Entity};
    let mut query = Entity::find();
    if let Some(run) = run {
        query = query.filter(Column::Run.eq(run));
    }
    if let Some(task) = task {
        query = query.filter(Column::Task.eq(task));
    }
    if open {
        query = query.filter(Column::EndedAt.is_null());
    }
    let query = query
        .order_by_asc(Column::Run)
        .order_by_asc(Column::Task)
        .order_by_asc(Column::Attempt);
    plain(query.all(db).await?)
}

pub async fn metrics(
    db: &DatabaseConnection,
    run: &str,
    task: Option<&str>,
) -> Result<Vec<MetricPoint>, MetaError> {
    use metric_point::{Column, Entity};
    let mut query = Entity::find().filter(Column::Run.eq(run));
    if let Some(task) = task {
        query = query.filter(Column::Task.eq(task));
    }
    plain(query.order_by_asc(Column::Id).all(db).await?)
}

pub async fn metric_series(db: &DatabaseConnection, run: &str) -> Result<Vec<MetricSeries>, MetaError> {
    use metric_point::{Column, Entity};
    let rows: Vec<(String, String, i64, Option<i64>)> = Entity::find()
        .filter(Column::Run.eq(run))
        .select_only()
        .column(Column::Task)
        .column(Column::Name)
        .column_as(Column::Id.count(), "points")
        .column_as(Column::Step.max(), "last_step")
        .group_by(Column::Task)
        .group_by(Column::Name)
        .order_by_asc(Column::Task)
        .order_by_asc(Column::Name)
        .into_tuple()
        .all(db)
        .await?;
    let series = |(task, name, points, last_step): (String, String, i64, Option<i64>)| MetricSeries {
        task,
        name,
        points: u64::try_from(points).unwrap_or_default(),
        last_step,
    };
    Ok(rows.into_iter().map(series).collect())
}

pub async fn caches(
    db: &DatabaseConnection,
    keys: &[String],
) -> Result<BTreeMap<String, CacheRow>, MetaError> {
    use cache_entry::{Column, Entity};
    let mut found = BTreeMap::new();
    for keys in keys.chunks(KEYS) {
        for model in Entity::find()
            .filter(Column::Key.is_in(keys.iter().map(String::as_str)))
            .all(db)
            .await?
        {
            let row = CacheRow::try_from(model)?;
            found.insert(row.key.clone(), row);
        }
    }
    Ok(found)
}

pub async fn open_approvals(
    db: &DatabaseConnection,
    run: Option<&str>,
) -> Result<Vec<ApprovalRow>, MetaError> {
    use approval::{Column, Entity};
    let mut query = Entity::find().filter(Column::ClosedAt.is_null());
    if let Some(run) = run {
        query = query.filter(Column::Run.eq(run));
    }
    plain(
        query
            .order_by_asc(Column::OpenedAt)
            .order_by_asc(Column::Task)
            .all(db)
            .await?,
    )
}

/// Decisions of a run, or of one of its tasks, oldest first.
pub async fn decisions(
    db: &DatabaseConnection,
    run: &str,
    task: Option<&str>,
) -> Result<Vec<DecisionRow>, MetaError> {
    use decision::{Column, Entity};
    let mut query = Entity::find().filter(Column::Run.eq(run));
    if let Some(task) = task {
        query = query.filter(Column::Task.eq(task));
    }
    plain(query.order_by_asc(Column::Id).limit(1_000).all(db).await?)
}
