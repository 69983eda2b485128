//! Runs.

use sea_orm::{
    ColumnTrait, Condition, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Func, SimpleExpr},
};

use super::plain;
use crate::{
    MetaError, RunFilter, RunHead, RunRow, RunState,
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

/// Runs, newest first. Each state is looked up by itself, so that an index gives the order whatever is asked for.
pub async fn list(db: &DatabaseConnection, filter: &RunFilter) -> Result<Vec<RunHead>, MetaError> {
    let limit = if filter.limit == 0 { PAGE } else { filter.limit };
    let before = match &filter.before {
        Some(before) => Some(find(db, before).await?),
        None => None,
    };
    let mut found = Vec::new();
    if filter.states.is_empty() {
        found = select(filter, None, before.as_ref()).limit(limit).all(db).await?;
    }
    for state in &filter.states {
        let of_state = select(filter, Some(*state), before.as_ref());
        found.extend(of_state.limit(limit).all(db).await?);
    }
    if filter.states.len() > 1 {
        found.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    plain(found)
}

fn select(filter: &RunFilter, state: Option<RunState>, before: Option<&Model>) -> Select<Entity> {
    let mut query = Entity::find();
    if let Some(state) = state {
        query = query.filter(Column::State.eq(state.as_str()));
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
    if let Some(last) = before {
        // One comparison of both, which an index can answer.
        let place = Expr::tuple([Expr::col(Column::CreatedAt), Expr::col(Column::Id)]);
        let cursor = Expr::tuple([Expr::val(last.created_at), Expr::val(last.id.clone())]);
        query = query.filter(place.lt(cursor));
    }
    query.order_by_desc(Column::CreatedAt).order_by_desc(Column::Id)
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
