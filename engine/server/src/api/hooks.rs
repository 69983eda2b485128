//! Signed webhooks that start DAGs.

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use twinloom_runtime::service::{SIGNATURE_HEADER, SignedRequest, TIMESTAMP_HEADER};
use utoipa::ToSchema;

use crate::{
    http::{
        extract::{Json, Path},
        problem::{Answer, Problem},
    },
    state::Shared,
};

/// A webhook that was taken.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HookTaken {
    /// The event's cursor in the log.
    pub event: i64,
}

/// Takes a signed request for a DAG with a webhook trigger: `X-Twinloom-Timestamp` holds seconds since 1970, and
/// `X-Twinloom-Signature` `sha256=` with the HMAC-SHA256, in hex, of `TIMESTAMP.BODY`. It is durable when this answers.
#[utoipa::path(post, path = "/hooks/{dag}", tag = "hooks", operation_id = "receive_hook",
    params(("dag" = String, Path), ("x-twinloom-timestamp" = Option<String>, Header),
        ("x-twinloom-signature" = Option<String>, Header)), request_body(content = Object, content_type = "application/json"),
    responses((status = 202, body = HookTaken)),
    extensions(("x-permission" = json!("public"))))]
pub async fn receive(
    State(app): State<Shared>,
    Path(dag): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let request = SignedRequest {
        timestamp: text(TIMESTAMP_HEADER),
        signature: text(SIGNATURE_HEADER),
        body: &body,
    };
    match app.service.webhook(&dag, request).await {
        Ok(event) => Ok(taken(event)),
        // Who sends it may be a stranger, and is not told names of secrets.
        Err(error) if error.code().starts_with("secret.") => {
            tracing::error!(dag, code = error.code(), detail = %error, "a webhook's signature cannot be checked");
            Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "webhook.no_secret",
                "signatures of this webhook cannot be checked now",
                "Try again later; whoever runs this server finds in its log what is missing.",
            ))
        }
        Err(error) => Err(error.into()),
    }
}

/// The answer to a webhook.
pub fn taken(event: i64) -> Response {
    (StatusCode::ACCEPTED, Json(HookTaken { event })).into_response()
}
