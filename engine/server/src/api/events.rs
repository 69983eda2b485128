//! The event log and the audit log.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::{EventFilter, EventRow};
use utoipa::{IntoParams, ToSchema};

use super::words::object;
use crate::{
    http::{
        extract::{Json, Query},
        page::{self, Page, Paging},
        problem::Answer,
    },
    state::Shared,
};

/// An event of the log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventItem {
    /// Its cursor; grows for ever.
    pub id: i64,
    /// `dataset.published`, `model.registered`, `alias.moved`, `run.started`, `run.ended`, `approval.opened`, ….
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// The rest.
    #[schema(value_type = Object)]
    pub payload: Map<String, Value>,
    /// When.
    pub at: Timestamp,
}

impl From<&EventRow> for EventItem {
    fn from(row: &EventRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind.clone(),
            subject: row.subject.clone(),
            payload: object(&row.payload),
            at: row.at,
        }
    }
}

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// Only those of this kind; `run.*` is all that start with `run.`.
    pub kind: Option<String>,
    /// Only those whose subject starts with this.
    pub subject: Option<String>,
    /// Items on the page; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Events, newest first.
#[utoipa::path(get, path = "/events", tag = "events", operation_id = "list_events",
    params(EventsQuery), responses((status = 200, body = Page<EventItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(
    State(app): State<Shared>,
    Query(query): Query<EventsQuery>,
) -> Answer<Json<Page<EventItem>>> {
    let limit = page::usual(query.limit)?;
    let filter = EventFilter {
        kind: query.kind,
        subject: query.subject,
        before: page::number(query.cursor.as_deref())?,
        limit: limit + 1,
    };
    let rows = app.meta.events(&filter).await?;
    Ok(Json(Page::of(&rows, limit, |event: &EventItem| {
        event.id.to_string()
    })))
}

/// Who did what.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditItem {
    /// Grows for ever.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// `approved`, `alias.move`, `api.cancel_run`, ….
    pub action: String,
    /// On what.
    pub subject: String,
    /// With what.
    #[schema(value_type = Object)]
    pub detail: Map<String, Value>,
}

/// The audit log, newest first.
#[utoipa::path(get, path = "/audit", tag = "events", operation_id = "list_audit",
    params(Paging), responses((status = 200, body = Page<AuditItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn audit(State(app): State<Shared>, Query(paging): Query<Paging>) -> Answer<Json<Page<AuditItem>>> {
    let limit = paging.limit()?;
    let before = page::number(paging.cursor.as_deref())?;
    let rows = app.meta.audit_page(before, limit + 1).await?;
    let items = rows
        .into_iter()
        .map(|(id, row)| AuditItem {
            id,
            at: row.at,
            by: row.by,
            action: row.action,
            subject: row.subject,
            detail: object(&row.detail),
        })
        .collect();
    Ok(Json(Page::cut(items, limit, |item| item.id.to_string())))
}
