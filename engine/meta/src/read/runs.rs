//! Runs.

use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, Func, SimpleExpr},
};

use super::plain;
use crate::{
    MetaError, RunFilter, RunHead, RunRow,
    entity::{
        json, micros,
        run::{Column, Entity, Model},
        run_document,
    },
};

/// Runs in one list unless the filter says otherwise.
const PAGE: u64 = 100;
/// Letters below which a prefix is not looked up.
const SHORTEST_PREFIX: usize = 4;

/// A run by id or unique prefix.
pub async fn run(db: &DatabaseConnection, id: &str) -> Result<RunRow, MetaError> {
    let head: RunHead = find(db, id).await?.try_into()?;
    let document = run_document::Entity::find_by_id(head.id.clone()).one(db).await?;
    let document = document.ok_or_else(|| MetaError::Corrupt {
        place: "run_documents".to_owned(),
        reason: format!("run {} has no plan", head.id),
    })?;
    Ok(RunRow {
        plan: json("run_documents.plan", &document.plan)?,
        dag_text: document.dag_text,
        id: head.id,
        dag: head.dag,
        params: head.params,
        state: head.state,
        trigger: head.trigger,
        created_at: head.created_at,
        started_at: head.started_at,
        ended_at: head.ended_at,
        owner: head.owner,
        epoch: head.epoch,
        lease_until: head.lease_until,
        error: head.error,
    })
}

/// A run without its plan, by id or unique prefix.
pub async fn head(db: &DatabaseConnection, id: &str) -> Result<RunHead, MetaError> {
    find(db, id).await?.try_into()
}

/// Runs, newest first.
pub async fn list(db: &DatabaseConnection, filter: &RunFilter) -> Result<Vec<RunHead>, MetaError> {
    let mut query = Entity::find();
    if !filter.states.is_empty() {
        query = query.filter(Column::State.is_in(filter.states.iter().map(|state| state.as_str())));
    }
    if let Some(dag) = &filter.dag {
        query = query.filter(Column::Dag.eq(dag));
    }
    if let Some(owner) = &filter.owner {
        query = query.filter(Column::Owner.eq(owner));
    }
    if let Some(since) = filter.since {
        query = query.filter(Column::CreatedAt.gte(micros(since)));
    }
    if let Some(until) = filter.until {
        query = query.filter(Column::CreatedAt.lt(micros(until)));
    }
    if let Some(text) = &filter.text {
        let columns = [
            Column::Id,
            Column::Dag,
            Column::Params,
            Column::Trigger,
            Column::Error,
        ];
        let holds = |all: Condition, column: Column| all.add(column.contains(text));
        query = query.filter(columns.into_iter().fold(Condition::any(), holds));
    }
    if let Some(before) = &filter.before {
        let last = find(db, before).await?;
        query = query.filter(
            Condition::any()
                .add(Column::CreatedAt.lt(last.created_at))
                .add(Column::CreatedAt.eq(last.created_at).and(Column::Id.lt(last.id))),
        );
    }
    let limit = if filter.limit == 0 { PAGE } else { filter.limit };
    plain(
        query
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(db)
            .await?,
    )
}

async fn find(db: &DatabaseConnection, id: &str) -> Result<Model, MetaError> {
    if let Some(model) = Entity::find_by_id(id).one(db).await? {
        return Ok(model);
    }
    let not_found = || MetaError::NotFound {
        what: "run",
        id: id.chars().take(64).collect(),
    };
    let length = id.chars().count();
    if !(SHORTEST_PREFIX..=64).contains(&length) {
        return Err(not_found());
    }
    let start: SimpleExpr = Func::cust("substr")
        .args([
            Expr::col(Column::Id),
            Expr::val(1),
            Expr::val(i32::try_from(length).unwrap_or(i32::MAX)),
        ])
        .into();
    let mut found = Entity::find()
        .filter(start.is_in([id.to_owned(), id.to_ascii_uppercase()]))
        .limit(6)
        .all(db)
        .await?;
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(not_found()),
        (Some(model), true) => Ok(model),
        (Some(model), false) => {
            let mut matches: Vec<String> = found.into_iter().map(|model| model.id).collect();
            matches.push(model.id);
            Err(MetaError::Ambiguous {
                what: "run",
                id: id.to_owned(),
                matches: matches.join(", "),
            })
        }
    }
}
