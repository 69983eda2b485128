//! Where notifications go.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twinloom_meta::DestinationRow;
use utoipa::ToSchema;

use super::words::Done;
use crate::{
    http::{
        extract::{Json, Path},
        page::Page,
        problem::{Answer, Problem},
    },
    notify::Destination,
    state::Shared,
};

/// A destination and how it does.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DestinationItem {
    /// Its name.
    pub name: String,
    /// Its address and what is told there; secrets are references.
    pub destination: Destination,
    /// The last event that was dealt with.
    pub cursor: i64,
    /// Failures since the last success.
    pub tries: u32,
    /// The last failure.
    pub last_error: Option<String>,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// Destinations by name.
#[utoipa::path(get, path = "/destinations", tag = "notifications", operation_id = "list_destinations",
    responses((status = 200, body = Page<DestinationItem>)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn list(State(app): State<Shared>) -> Answer<Json<Page<DestinationItem>>> {
    let rows = app.meta.destinations().await?;
    let item = |row: DestinationRow| {
        Some(DestinationItem {
            destination: serde_json::from_value(row.config).ok()?,
            name: row.name,
            cursor: row.cursor,
            tries: row.tries,
            last_error: row.last_error,
            next_at: row.next_at,
            updated_at: row.updated_at,
        })
    };
    Ok(Json(Page::whole(rows.into_iter().filter_map(item).collect())))
}

/// Sets a destination; a new one is told what happens from now on.
#[utoipa::path(put, path = "/destinations/{name}", tag = "notifications", operation_id = "put_destination",
    params(("name" = String, Path)), request_body = Destination, responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn put(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Json(body): Json<Destination>,
) -> Answer<Json<Done>> {
    if name.is_empty() || name.len() > 100 || body.events.is_empty() {
        return Err(Problem::invalid(
            "destination.invalid",
            "a destination has a name of up to 100 letters and at least one kind of event",
            "Name what is to be told in `events`.",
        ));
    }
    if let Some(key) = body.address.plain_secrets().first() {
        return Err(Problem::invalid(
            "destination.plain_secret",
            format!("`{key}` must be a reference to a secret"),
            "Set it with `twinloom secret set NAME` and write `secret:NAME` here.",
        ));
    }
    if let Some(reason) = body.in_the_clear() {
        return Err(Problem::invalid(
            "destination.plain_mail",
            reason,
            "Leave `tls` out; `none` is for a relay within your own network that asks for no password.",
        ));
    }
    let row = DestinationRow {
        name,
        config: serde_json::to_value(&body).map_err(Problem::internal)?,
        // Of a new one: another keeps its own.
        cursor: app.meta.last_event().await?,
        tries: 0,
        last_error: None,
        next_at: None,
        updated_at: Timestamp::now(),
    };
    app.meta.put_destination(&row).await?;
    Ok(Json(Done::DONE))
}

/// Removes a destination.
#[utoipa::path(delete, path = "/destinations/{name}", tag = "notifications", operation_id = "delete_destination",
    params(("name" = String, Path)), responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn delete(State(app): State<Shared>, Path(name): Path<String>) -> Answer<Json<Done>> {
    if app.meta.delete_destination(&name).await? {
        return Ok(Json(Done::DONE));
    }
    Err(Problem::not_found(
        "destination.not_found",
        "there is no such destination",
        "GET /api/v1/destinations lists them.",
    ))
}
