//! `Idempotency-Key`: the same write twice has the effect and the answer of once, for a day.
//!
//! A key is taken before its write and gets the answer after it. The gate lets a write go to its end even where its caller
//! has left, so a key stays without an answer only where its server is gone: then it is free again at the next start, or
//! after [`SILENT`].

use std::time::Duration;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use twinloom_meta::{KeptAnswer, Meta, MetaError};
use twinloom_runtime::is_running;

use super::problem::{Answer, Problem, caught, too_large};
use crate::{
    auth::principal::{Means, Principal},
    serve::MOST_BODY,
    state::Shared,
};

/// How long an answer is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// How often it is said that a request is under way.
const SAID_EVERY: Duration = Duration::from_secs(30);
/// A key whose server has not said so for this long is free again.
const SILENT: SignedDuration = SignedDuration::from_mins(2);
/// The longest key.
const LONGEST_KEY: usize = 200;
/// Answers with these carry a secret, and are not kept.
const NOT_KEPT: [&str; 2] = ["/api/v1/tokens", "/api/v1/session"];

/// Frees the keys that servers had taken which are gone.
///
/// # Errors
/// What the database says.
pub async fn free_claims(meta: &Meta) -> Result<(), MetaError> {
    for claim in meta.open_claims().await? {
        if !is_running(&claim.owner, claim.at.checked_add(SILENT).ok()) {
            meta.keep_answer(&claim.key, &claim.owner, None).await?;
        }
    }
    Ok(())
}

/// Answers a repeated write from what was kept.
pub async fn once(State(app): State<Shared>, who: Principal, request: Request, next: Next) -> Response {
    let writes = matches!(
        *request.method(),
        Method::POST | Method::PUT | Method::PATCH | Method::DELETE
    );
    let key = request.headers().get("idempotency-key").cloned();
    let path = request.uri().path().to_owned();
    // What anybody may ask for must not fill the database.
    let keeps = writes && who.means != Means::Nobody && !NOT_KEPT.contains(&path.as_str());
    let Some(key) = key.filter(|_| keeps) else {
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
    let fingerprint = app.secrets.fingerprint(&[asked.as_bytes(), &body])?;
    let now = Timestamp::now();
    let row = KeptAnswer {
        key: format!("{}\n{key}", who.name),
        fingerprint,
        at: now,
        owner: app.engine.owner(),
        status: None,
        content_type: None,
        body: None,
    };
    let before = |age: SignedDuration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
    match app.meta.claim_answer(&row, before(KEPT), before(SILENT)).await {
        Ok(None) => {}
        Ok(Some(found)) => return replay(&row, found),
        Err(MetaError::Exists { .. }) => return Err(in_progress()),
        Err(error) => return Err(error.into()),
    }
    let answering = caught(next.run(Request::from_parts(parts, Body::from(body))));
    let response = tokio::select! {
        response = answering => response,
        never = say_so(&app.meta, &row) => never,
    };
    keep(app, &row, response).await
}

/// Says again and again that the request is under way.
async fn say_so(meta: &Meta, row: &KeptAnswer) -> Response {
    loop {
        tokio::time::sleep(SAID_EVERY).await;
        if let Err(error) = meta.renew_claim(&row.key, &row.owner, Timestamp::now()).await {
            tracing::warn!(%error, "the key of a write could not be held");
        }
    }
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
        return Err(in_progress());
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

fn in_progress() -> Problem {
    Problem::conflict(
        "request.in_progress",
        "the first request with this key is still under way",
        "Ask again in a moment.",
    )
}

/// Keeps what tells the caller how it went; what may pass (5xx, 429) and denials free the key again.
async fn keep(app: &Shared, row: &KeptAnswer, response: Response) -> Answer<Response> {
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
            app.meta.keep_answer(&row.key, &row.owner, None).await?;
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
    // What is done is done, whether its answer can be kept or not.
    if let Err(error) = app.meta.keep_answer(&row.key, &row.owner, kept).await {
        tracing::error!(%error, "the answer to a write could not be kept");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}
