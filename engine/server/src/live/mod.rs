//! Live state by server-sent events.

pub mod hub;

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt};

use crate::{
    auth::principal::{Permission, Principal},
    state::Shared,
};

/// A quiet stream says that it is there, so that proxies and browsers keep it open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A response of events. It ends when whoever asked for it may not read any more.
pub fn sse(
    app: Shared,
    who: Principal,
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let mut response = Sse::new(events.take_until(gone(app, who)))
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Waits until a principal has logged out, is removed or may not read any more. A database that does not answer tells
/// nothing.
async fn gone(app: Shared, who: Principal) {
    loop {
        tokio::time::sleep(app.look_again).await;
        match app.accounts.again(&who).await {
            Ok(Some(now)) if now.may(Permission::Read) => {}
            Ok(_) => return,
            Err(problem) => tracing::warn!(code = problem.code, "a stream's reader could not be looked up"),
        }
    }
}

/// Where a reconnecting client stopped.
pub fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}
