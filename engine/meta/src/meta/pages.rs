//! Lists for people: in pages, newest first, each by an index.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::Meta;
use crate::{
    ApprovalRow, ArtifactKind, ArtifactRow, AuditRow, EventFilter, EventRow, MetaError, RunFilter, RunHead,
    RunState, TaskCell,
    entity::{approval, artifact, audit, event, json_opt, micros, number, run, task, time_opt, word},
};

/// Keys in one query: well below either database's limit on parameters.
pub(super) const KEYS: usize = 500;
/// Failed runs that are looked through for the newest of their DAG.
const FAILED: u64 = 500;

impl Meta {
    /// Questions, answered ones too, newest first; `before` is the microsecond, run and task of the last one of the page
    /// before.
    ///
    /// # Errors
    /// As for every method.
    pub async fn approvals(
        &self,
        before: Option<(i64, &str, &str)>,
        limit: u64,
    ) -> Result<Vec<ApprovalRow>, MetaError> {
        use approval::{Column, Entity};
        let mut query = Entity::find();
        if let Some((at, run, task)) = before {
            let same = Column::OpenedAt.eq(at);
            let earlier = Condition::any()
                .add(Column::OpenedAt.lt(at))
                .add(same.clone().and(Column::Run.lt(run)))
                .add(same.and(Column::Run.eq(run)).and(Column::Task.lt(task)));
            query = query.filter(earlier);
        }
        let found = query
            .order_by_desc(Column::OpenedAt)
            .order_by_desc(Column::Run)
            .order_by_desc(Column::Task)
            .limit(limit)
            .all(&self.pools.reader)
            .await?;
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// The question of a task, answered or not.
    ///
    /// # Errors
    /// `meta.not_found`.
    pub async fn approval(&self, run: &str, task: &str) -> Result<ApprovalRow, MetaError> {
        let key = (run.to_owned(), task.to_owned());
        let found = approval::Entity::find_by_id(key).one(&self.pools.reader).await?;
        let none = || MetaError::NotFound {
            what: "approval",
            id: format!("{run}/{task}"),
        };
        found.ok_or_else(none)?.try_into()
    }

    /// Events, newest first.
    ///
    /// # Errors
    /// As for every method.
    pub async fn events(&self, filter: &EventFilter) -> Result<Vec<EventRow>, MetaError> {
        use event::{Column, Entity};
        let mut query = Entity::find();
        if let Some(kind) = &filter.kind {
            query = match kind.strip_suffix('*') {
                Some(start) => query.filter(Column::Kind.starts_with(start)),
                None => query.filter(Column::Kind.eq(kind)),
            };
        }
        if let Some(subject) = &filter.subject {
            query = query.filter(Column::Subject.starts_with(subject));
        }
        if let Some(before) = filter.before {
            query = query.filter(Column::Id.lt(before));
        }
        let found = query
            .order_by_desc(Column::Id)
            .limit(filter.limit)
            .all(&self.pools.reader)
            .await?;
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// The audit log with its ids, newest first, before an id.
    ///
    /// # Errors
    /// As for every method.
    pub async fn audit_page(
        &self,
        before: Option<i64>,
        limit: u64,
    ) -> Result<Vec<(i64, AuditRow)>, MetaError> {
        use audit::{Column, Entity};
        let mut query = Entity::find();
        if let Some(before) = before {
            query = query.filter(Column::Id.lt(before));
        }
        let found = query
            .order_by_desc(Column::Id)
            .limit(limit)
            .all(&self.pools.reader)
            .await?;
        found
            .into_iter()
            .map(|row| Ok((row.id, row.try_into()?)))
            .collect()
    }

    /// Tasks of many runs at once, in no particular order.
    ///
    /// # Errors
    /// As for every method.
    pub async fn task_cells(&self, runs: &[String]) -> Result<Vec<TaskCell>, MetaError> {
        use task::{Column, Entity};
        type Row = (
            String,
            String,
            i64,
            String,
            String,
            String,
            i64,
            Option<String>,
            Option<i64>,
            Option<i64>,
            Option<i64>,
        );
        let mut cells = Vec::new();
        for runs in runs.chunks(KEYS) {
            let rows: Vec<Row> = Entity::find()
                .select_only()
                .columns([
                    Column::Run,
                    Column::Id,
                    Column::Position,
                    Column::Step,
                    Column::Operator,
                    Column::State,
                    Column::Attempt,
                    Column::Metrics,
                    Column::QueuedAt,
                    Column::StartedAt,
                    Column::EndedAt,
                ])
                .filter(Column::Run.is_in(runs.iter().map(String::as_str)))
                .into_tuple()
                .all(&self.pools.reader)
                .await?;
            for (run, id, position, step, operator, state, attempt, metrics, queued, started, ended) in rows {
                cells.push(TaskCell {
                    run,
                    id,
                    position,
                    step,
                    operator,
                    state: word("tasks.state", &state)?,
                    attempt: number("tasks.attempt", attempt)?,
                    metrics: json_opt("tasks.metrics", metrics.as_deref())?,
                    queued_at: time_opt("tasks.queued_at", queued)?,
                    started_at: time_opt("tasks.started_at", started)?,
                    ended_at: time_opt("tasks.ended_at", ended)?,
                });
            }
        }
        Ok(cells)
    }

    /// What many runs published.
    ///
    /// # Errors
    /// As for every method.
    pub async fn artifacts_of(&self, runs: &[String]) -> Result<Vec<ArtifactRow>, MetaError> {
        use artifact::{Column, Entity};
        let mut found = Vec::new();
        for runs in runs.chunks(KEYS) {
            let rows = Entity::find()
                .filter(Column::Run.is_in(runs.iter().map(String::as_str)))
                .order_by_asc(Column::Task)
                .order_by_asc(Column::Port)
                .all(&self.pools.reader)
                .await?;
            for row in rows {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    /// Tasks that have a version as a result, newest runs first.
    ///
    /// # Errors
    /// As for every method.
    pub async fn artifact_uses(
        &self,
        kind: ArtifactKind,
        name: &str,
        version: u64,
        limit: u64,
    ) -> Result<Vec<ArtifactRow>, MetaError> {
        use artifact::{Column, Entity};
        let found = Entity::find()
            .filter(Column::Kind.eq(kind.as_str()))
            .filter(Column::Name.eq(name))
            .filter(Column::Version.eq(i64::try_from(version).unwrap_or(i64::MAX)))
            .order_by_desc(Column::Run)
            .limit(limit)
            .all(&self.pools.reader)
            .await?;
        found.into_iter().map(TryInto::try_into).collect()
    }

    /// How many runs are in each state: those created since a time and those that have not ended, or all.
    ///
    /// # Errors
    /// As for every method.
    pub async fn run_counts(&self, since: Option<Timestamp>) -> Result<BTreeMap<RunState, u64>, MetaError> {
        use run::{Column, Entity};
        let counted = Entity::find()
            .select_only()
            .column(Column::State)
            .column_as(Expr::col(Column::Id).count(), "count")
            .group_by(Column::State);
        let mut queries = Vec::new();
        match since.map(micros) {
            None => queries.push(counted),
            Some(since) => {
                // Two queries, each by an index of its own; one with OR would look at every run.
                let open = Column::State.is_in(RunState::OPEN.map(RunState::as_str));
                queries.push(counted.clone().filter(Column::CreatedAt.gte(since)));
                queries.push(counted.filter(open).filter(Column::CreatedAt.lt(since)));
            }
        }
        let mut counts = BTreeMap::new();
        for query in queries {
            let rows: Vec<(String, i64)> = query.into_tuple().all(&self.pools.reader).await?;
            for (state, count) in rows {
                *counts.entry(word("runs.state", &state)?).or_default() +=
                    u64::try_from(count).unwrap_or_default();
            }
        }
        Ok(counts)
    }

    /// The newest run of each DAG whose newest run has failed since a time.
    ///
    /// # Errors
    /// As for every method.
    pub async fn failing_dags(&self, since: Timestamp, limit: u64) -> Result<Vec<RunHead>, MetaError> {
        let filter = RunFilter {
            states: vec![RunState::Failed],
            since: Some(since),
            limit: FAILED,
            ..RunFilter::default()
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut failing = Vec::new();
        for failed in self.runs(&filter).await? {
            if failing.len() as u64 >= limit {
                break;
            }
            if !seen.insert(failed.dag.clone()) {
                continue;
            }
            let newest = RunFilter {
                dag: Some(failed.dag.clone()),
                limit: 1,
                ..RunFilter::default()
            };
            if self
                .runs(&newest)
                .await?
                .first()
                .is_some_and(|newest| newest.id == failed.id)
            {
                failing.push(failed);
            }
        }
        Ok(failing)
    }
}
