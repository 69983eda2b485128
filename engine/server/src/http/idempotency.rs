//! `Idempotency-Key`: the same write twice has the effect and the answer of once, for a day.

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use twinloom_meta::KeptAnswer;

use super::problem::{Answer, Problem};
use crate::{auth::principal::Principal, serve::MOST_BODY, state::Shared};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// The longest key.
const LONGEST_KEY: usize = 200;
/// Answers with these carry a secret, and are not kept.
const NOT_KEPT: [&str; 2] = ["/api/v1/tokens", "/api/v1/session"];

/// Answers a repeated write from what was kept.
pub async fn once(State(app): State<Shared>, who: Principal, request: Request, next: Next) -> Response {
    let writes = matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    );
    let key = request.headers().get("idempotency-key").cloned();
    let path = request.uri().path().to_owned();
    let Some(key) = key.filter(|_| writes && !NOT_KEPT.contains(&path.as_str())) else {
        return next.run(request).await;
    };
    match answer(&app, &who, &key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    app: &Shared,
    who: &Principal,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Answer<Response> {
    let key = key
        .to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.len() <= LONGEST_KEY)
        .ok_or_else(|| {
            Problem::bad_request(
                "request.idempotency_key",
                "this is no idempotency key",
                format!("Give 1 to {LONGEST_KEY} ASCII characters."),
            )
        })?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MOST_BODY).await.map_err(|_| too_large())?;
    let asked = format!("{} {}\n", parts.method, parts.uri);
    let mut hasher = blake3::Hasher::new();
    hasher.update(asked.as_bytes()).update(&body);
    let now = Timestamp::now();
    let row = KeptAnswer {
        key: format!("{}\n{key}", who.name),
        fingerprint: hasher.finalize().to_hex().to_string(),
        at: now,
        status: None,
        content_type: None,
        body: None,
    };
    let since = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    if let Some(found) = app.meta.claim_answer(&row, since).await? {
        return replay(&row, found);
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    keep(app, &row.key, response).await
}

fn replay(row: &KeptAnswer, found: KeptAnswer) -> Answer<Response> {
    if found.fingerprint != row.fingerprint {
        return Err(Problem::invalid(
            "request.idempotency_key",
            "this key was used for another request",
            "Draw a new key for each request.",
        ));
    }
    let (Some(status), Some(kind), Some(body)) = (found.status, found.content_type, found.body) else {
        return Err(Problem::conflict(
            "request.in_progress",
            "the first request with this key is still under way",
            "Ask again in a moment.",
        ));
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    let kind = HeaderValue::from_str(&kind).unwrap_or(HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    let replayed = HeaderName::from_static("idempotency-replayed");
    response
        .headers_mut()
        .insert(replayed, HeaderValue::from_static("true"));
    Ok(response)
}

/// Keeps what tells the caller how it went; what may pass (5xx, 429) and denials free the key again.
async fn keep(app: &Shared, key: &str, response: Response) -> Answer<Response> {
    let status = response.status();
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
    let (parts, body) = response.into_parts();
    let body: Bytes = match to_bytes(body, MOST_BODY).await {
        Ok(body) => body,
        Err(error) => {
            app.meta.keep_answer(key, None).await?;
            return Err(Problem::internal(error));
        }
    };
    let kind = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kept = (!passing).then(|| {
        let text = String::from_utf8_lossy(&body).into_owned();
        (
            status.as_u16(),
            kind.unwrap_or("application/json").to_owned(),
            text,
        )
    });
    app.meta.keep_answer(key, kept).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "request.too_large",
        "the body is too large",
        format!("Send at most {MOST_BODY} bytes."),
    )
}
