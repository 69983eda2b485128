//! Everything live.

use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    auth::principal::Principal,
    http::{extract::Query, problem::Answer},
    live,
    state::Shared,
};

/// From where on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamQuery {
    /// Events after this cursor; `Last-Event-ID` wins over it. Without either: what happens from now on.
    pub after: Option<u64>,
}

/// Live state as server-sent events. `event` events are of the durable log and carry their cursor as id, so that
/// `Last-Event-ID` resumes without loss or repetition. `run`, `task`, `progress` and `metric` are passing: they carry no
/// id, and after a reconnection the state is to be read again. `hello` comes first.
#[utoipa::path(get, path = "/stream", tag = "events", operation_id = "stream",
    params(StreamQuery), responses((status = 200, body = String, content_type = "text/event-stream")),
    extensions(("x-permission" = json!("read"))))]
pub async fn stream(
    State(app): State<Shared>,
    who: Principal,
    Query(query): Query<StreamQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let after = live::last_event_id(&headers).or(query.after);
    let after = after.map(|after| i64::try_from(after).unwrap_or(i64::MAX));
    let events = app.live.follow(after).await?;
    Ok(live::sse(app, who, events))
}
