//! Errors as RFC 9457 problem documents, with the command line's codes and hints.

use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use serde::Serialize;
use serde_json::Value;
use twinloom_meta::MetaError;
use twinloom_runtime::{EngineError, ServiceError, dags::DagsError};
use twinloom_spec::Diagnostics;
use twinloom_store::StoreError;
use utoipa::ToSchema;

use crate::serve::MOST_BODY;

/// What a handler returns.
pub type Answer<T> = Result<T, Problem>;

/// An error: RFC 9457 with a stable code and a hint.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:twinloom:error:<code>`.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Box<str>,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened, one sentence.
    pub detail: String,
    /// Stable and dotted, as in the command line: `store.not_found`.
    pub code: String,
    /// What to do about it; may be empty.
    #[schema(value_type = String)]
    pub hint: Box<str>,
    /// More places, such as the diagnostics of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub errors: Option<Box<[Value]>>,
}

impl Problem {
    /// A problem of that status.
    pub fn new(status: StatusCode, code: &str, detail: impl ToString, hint: impl ToString) -> Self {
        Self {
            kind: format!("urn:twinloom:error:{code}").into(),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.to_string(),
            code: code.to_owned(),
            hint: hint.to_string().into(),
            errors: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(code: &str, detail: impl ToString, hint: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail, hint)
    }

    /// 403.
    pub fn forbidden(code: &str, detail: impl ToString, hint: impl ToString) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail, hint)
    }

    /// 404.
    pub fn not_found(code: &str, detail: impl ToString, hint: impl ToString) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail, hint)
    }

    /// 409: it does not fit what stands.
    pub fn conflict(code: &str, detail: impl ToString, hint: impl ToString) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail, hint)
    }

    /// 422: it can be read and is wrong.
    pub fn invalid(code: &str, detail: impl ToString, hint: impl ToString) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail, hint)
    }

    /// 500: a defect. What the cause says goes to the log, not to the caller.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "server.internal",
            "the server failed on this request",
            "Look at the server's log; if it happens again, please report it.",
        )
    }

    fn by_code(code: &str, detail: impl ToString, hint: impl ToString) -> Self {
        let status = status_of(code);
        if status.is_server_error() {
            tracing::error!(code, detail = detail.to_string(), "a request failed");
        }
        Self::new(status, code, detail, hint)
    }
}

/// The HTTP status of an error code, the same for every route.
pub fn status_of(code: &str) -> StatusCode {
    match code {
        "meta.ambiguous"
        | "meta.invalid_url"
        | "run.ambiguous_task"
        | "store.invalid_location"
        | "store.invalid_name"
        | "store.invalid_path" => StatusCode::BAD_REQUEST,
        "webhook.unsigned" => StatusCode::UNAUTHORIZED,
        "run.not_approver" => StatusCode::FORBIDDEN,
        code if code.starts_with("approve.") => StatusCode::FORBIDDEN,
        "dag.no_trigger" | "dag.unknown" | "operator.unknown" | "run.unknown_task" => StatusCode::NOT_FOUND,
        code if code.ends_with("not_found") => StatusCode::NOT_FOUND,
        "alias.no_previous"
        | "dag.paused"
        | "meta.exists"
        | "meta.fenced"
        | "meta.superseded"
        | "queue.known_message"
        | "run.already_approved"
        | "run.ended"
        | "run.not_ended"
        | "run.not_waiting"
        | "run.nothing_to_retry"
        | "run.owned"
        | "store.contended"
        | "webhook.replayed" => StatusCode::CONFLICT,
        "dag.conflict" => StatusCode::PRECONDITION_FAILED,
        "alias.reason"
        | "approval.no_name"
        | "backfill.range"
        | "dag.invalid"
        | "dag.other_name"
        | "run.bad_plan"
        | "run.input"
        | "run.unknown_operator"
        | "store.key_column"
        | "store.schema_mismatch"
        | "webhook.body" => StatusCode::UNPROCESSABLE_ENTITY,
        "store.denied" => StatusCode::BAD_GATEWAY,
        "meta.busy" | "meta.connect" | "run.stopped" | "store.unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "store.disk_full" => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// 413.
pub fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request.too_large",
        "the body is too large",
        format!("Send at most {MOST_BODY} bytes."),
    )
}

/// What answers; a panic in it is a 500.
pub async fn caught(answering: impl Future<Output = Response>) -> Response {
    let answer = AssertUnwindSafe(answering).catch_unwind().await;
    answer.unwrap_or_else(panicked)
}

/// The answer where a handler panicked.
#[expect(clippy::needless_pass_by_value, reason = "the signature that layers want")]
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(text.unwrap_or("a handler panicked")).into_response()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<MetaError> for Problem {
    fn from(error: MetaError) -> Self {
        Self::by_code(error.code(), &error, error.hint())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::by_code(error.code(), &error, error.hint())
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        Self::by_code(error.code(), &error, error.hint())
    }
}

impl From<DagsError> for Problem {
    fn from(error: DagsError) -> Self {
        match error {
            DagsError::Invalid { diagnostics, .. } => diagnostics.into(),
            other => Self::by_code(other.code(), &other, other.hint()),
        }
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Engine(error) => error.into(),
            ServiceError::Dags(error) => error.into(),
            other => Self::by_code(other.code(), &other, other.hint()),
        }
    }
}

impl From<Diagnostics> for Problem {
    fn from(found: Diagnostics) -> Self {
        let noun = if found.0.len() == 1 { "error" } else { "errors" };
        let errors = found.0.iter().filter_map(|one| serde_json::to_value(one).ok());
        Self {
            errors: Some(errors.collect()),
            ..Self::invalid(
                "spec.invalid",
                format!("{} {noun} in the file", found.0.len()),
                "Mend the places in `errors`.",
            )
        }
    }
}
