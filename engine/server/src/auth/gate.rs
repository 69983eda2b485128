//! The gate before every route: who is it, may they, and does the request come from where it says.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Instant,
};

use axum::{
    body::{Body, to_bytes},
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use twinloom_meta::{AuditRow, Change};

use super::{
    accounts::unauthorized,
    policy::Rule,
    principal::{Means, Principal},
    token,
};
use crate::{
    http::problem::{Answer, Problem, caught, too_large},
    serve::MOST_BODY,
    state::Shared,
};

/// The session cookie's name.
const COOKIE: &str = "twinloom_session";
/// What carries the CSRF token.
const CSRF: &str = "x-csrf-token";

/// Lets a request through to its route, or answers it.
pub async fn gate(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let Some(path) = path else {
        // Nothing is there: the router's fallback says so.
        return next.run(request).await;
    };
    let method = request.method().clone();
    let Some((rule, name)) = app.policy.rule(&method, &path) else {
        return match method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE
                if app.policy.knows(&path) =>
            {
                // The router answers with 405 and what is allowed.
                request.extensions_mut().insert(Principal::nobody());
                next.run(request).await
            }
            _ => Problem::forbidden("auth.no_rule", "no rule allows this", "Please report this.")
                .into_response(),
        };
    };
    let name = name.to_owned();
    let writes = !matches!(method, Method::GET | Method::HEAD);
    let peer = peer(request.extensions());
    let who = match admit(&app, request.headers(), peer, rule, writes).await {
        Ok(who) => who,
        Err(problem) => return problem.into_response(),
    };
    request.extensions_mut().insert(who.clone());
    if !writes || name == "validate" {
        return next.run(request).await;
    }
    match write(app, who, peer, name, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

/// Lets a write through and notes it in the audit log. Once its body is there it goes to its end, whether anyone still
/// waits for the answer or not.
async fn write(
    app: Shared,
    who: Principal,
    peer: IpAddr,
    name: String,
    request: Request,
    next: Next,
) -> Answer<Response> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MOST_BODY).await.map_err(|_| too_large())?;
    let subject = parts.uri.path().chars().take(500).collect::<String>();
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let writes = app.writes.clone();
    let writing = writes.spawn(async move {
        let response = caught(next.run(request)).await;
        let status = response.status();
        let detail = json!({ "status": status.as_u16(), "means": means(&who.means) });
        if who.means != Means::Nobody || status.is_success() {
            audit(&app, &who, &name, subject, detail).await;
        } else if status != StatusCode::TOO_MANY_REQUESTS {
            // Apart, so that the time of the answer does not tell what there is.
            let writes = app.writes.clone();
            writes.spawn(async move {
                if let Some(detail) = known(&app, peer, &name, &subject, &body, detail).await {
                    audit(&app, &who, &name, subject, detail).await;
                }
            });
        }
        response
    });
    writing.await.map_err(Problem::internal)
}

/// Whether the failed write of a stranger is noted: where it named a user or a DAG that there is, and not too often from
/// one address, since what anybody may send must not fill the log.
async fn known(
    app: &Shared,
    peer: IpAddr,
    name: &str,
    subject: &str,
    body: &[u8],
    mut detail: Value,
) -> Option<Value> {
    match name {
        "log_in" => {
            let given: Value = serde_json::from_slice(body).ok()?;
            let user = app.meta.user(given.get("name")?.as_str()?).await.ok()?;
            detail
                .as_object_mut()?
                .insert("user".to_owned(), user.name.into());
        }
        "receive_hook" => drop(app.service.dags().entry(subject.rsplit('/').next()?)?),
        _ => return None,
    }
    app.noted.take(peer, Instant::now()).then_some(detail)
}

async fn admit(
    app: &Shared,
    headers: &HeaderMap,
    peer: IpAddr,
    rule: Rule,
    writes: bool,
) -> Answer<Principal> {
    let who = identify(app, headers, peer, rule == Rule::Public).await?;
    if writes && let Means::Session { csrf, .. } = &who.means {
        let given = headers.get(CSRF).and_then(|value| value.to_str().ok());
        // A login replaces a session and cannot know its token.
        if rule != Rule::Public && !given.is_some_and(|given| token::same(given, csrf)) {
            return Err(Problem::forbidden(
                "auth.csrf",
                "the request carries no CSRF token of this session",
                "Send `csrf` of GET /api/v1/me as X-CSRF-Token.",
            ));
        }
    }
    match rule {
        Rule::Public => Ok(who),
        _ if who.means == Means::Nobody => Err(unauthorized(
            "auth.required",
            "this server asks for a login",
            "POST /api/v1/session, or send `Authorization: Bearer TOKEN`.",
        )),
        Rule::SignedIn => Ok(who),
        Rule::Needs(permission) if who.may(permission) => Ok(who),
        Rule::Needs(permission) => Err(Problem::forbidden(
            "auth.denied",
            format!("`{}` may not `{permission}`", who.name),
            "Ask an admin for a role (or a token with a scope) that may.",
        )),
    }
}

async fn identify(app: &Shared, headers: &HeaderMap, peer: IpAddr, lenient: bool) -> Answer<Principal> {
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    if let Some(bearer) = bearer {
        return match app.accounts.by_token(bearer).await {
            Err(problem) if lenient && problem.status == 401 => Ok(Principal::nobody()),
            result => result,
        };
    }
    if peer.to_canonical().is_loopback() && !app.accounts.login_required().await? {
        return Ok(Principal::local());
    }
    if let Some(value) = cookie_of(headers)
        && let Some(who) = app.accounts.by_session(value).await?
    {
        return Ok(who);
    }
    Ok(Principal::nobody())
}

async fn audit(app: &Shared, who: &Principal, name: &str, subject: String, detail: Value) {
    let row = AuditRow {
        at: Timestamp::now(),
        by: who.name.clone(),
        action: format!("api.{name}"),
        subject,
        detail,
    };
    if let Err(error) = app.meta.apply(vec![Change::Audit(row)], &[]).await {
        tracing::error!(%error, "a write could not be noted in the audit log");
    }
}

fn means(means: &Means) -> &str {
    match means {
        Means::Loopback => "loopback",
        Means::Session { .. } => "session",
        Means::Token(_) => "token",
        Means::Nobody => "nobody",
    }
}

fn cookie_of(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// The header that starts a session.
pub fn cookie(value: &str, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200{secure}")
}

/// The header that ends a session.
pub fn no_cookie(secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0{secure}")
}

fn peer(extensions: &Extensions) -> IpAddr {
    let info = extensions.get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| {
        address.ip()
    })
}

/// Where a request comes from.
pub struct Client {
    /// The peer's address.
    pub address: IpAddr,
    /// Whether the browser came by HTTPS, as the page's own origin tells.
    pub secure: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let origin = parts
            .headers
            .get(header::ORIGIN)
            .and_then(|value| value.to_str().ok());
        Ok(Self {
            address: peer(&parts.extensions),
            secure: origin.is_some_and(|origin| origin.starts_with("https://")),
        })
    }
}
