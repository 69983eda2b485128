//! Signed webhooks that start DAGs.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{Json, Path},
        problem::Answer,
    },
    state::Shared,
};

/// A webhook that was taken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HookTaken {
    /// The event's cursor in the log.
    pub event: i64,
}

/// Takes a signed request for a DAG with a webhook trigger. It is durable when this answers.
#[utoipa::path(post, path = "/hooks/{dag}", tag = "hooks", operation_id = "receive_hook",
    params(("dag" = String, Path)), request_body(content = Object, content_type = "application/json"),
    responses((status = 202, body = HookTaken)),
    extensions(("x-permission" = json!("public"))))]
pub async fn receive(
    State(_app): State<Shared>,
    Path(_dag): Path<String>,
    _headers: HeaderMap,
    _body: Bytes,
) -> Answer<Response> {
    Err(super::soon())
}

/// The answer to a webhook.
pub fn taken(event: i64) -> Response {
    (StatusCode::ACCEPTED, Json(HookTaken { event })).into_response()
}
