//! Against other web pages: which host a request is for, which origin it comes from, and what pages may load.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::{Answer, Problem};
use crate::state::Shared;

/// Nothing but what this server serves, and no exception for scripts or style sheets that stand in a page. Style attributes
/// are let through: the browser itself sets them where a text in the editor is replaced.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; \
                   font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; \
                   form-action 'self'; frame-ancestors 'none'";

/// Refuses requests for other hosts (DNS rebinding) and writes from other origins (CSRF).
pub async fn guard(State(app): State<Shared>, request: Request, next: Next) -> Response {
    if let Err(problem) = check(
        &app.host_names,
        request.method(),
        request.headers(),
        request.uri().authority(),
    ) {
        return problem.into_response();
    }
    next.run(request).await
}

/// Adds the headers that every answer carries.
pub async fn secure(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if is_api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    }
    response
}

fn check(
    known: &[String],
    method: &Method,
    headers: &HeaderMap,
    authority: Option<&Authority>,
) -> Answer<()> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST)
        .or(authority.map(Authority::as_str))
        .unwrap_or_default();
    if !is_known(known, host) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "request.host",
            "this server does not go by that name",
            "Use 127.0.0.1 or localhost, or start it with --host-name NAME.",
        ));
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let foreign = || {
        Problem::forbidden(
            "request.origin",
            "writes from other web pages are refused",
            "Send the request from this server's own pages, or from a program.",
        )
    };
    match text(header::ORIGIN) {
        Some("null") => return Err(foreign()),
        Some(origin) if origin.split_once("://").is_none_or(|(_, place)| place != host) => {
            return Err(foreign());
        }
        _ => {}
    }
    match text(HeaderName::from_static("sec-fetch-site")) {
        Some("same-origin" | "none") | None => Ok(()),
        Some(_) => Err(foreign()),
    }
}

fn is_known(known: &[String], host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    match name.parse::<IpAddr>() {
        Ok(address) => {
            address.is_loopback() || known.iter().any(|known| known.parse::<IpAddr>() == Ok(address))
        }
        Err(_) => {
            name.eq_ignore_ascii_case("localhost")
                || known.iter().any(|known| known.eq_ignore_ascii_case(name))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn other_hosts_are_refused() {
        let known = ["twinloom.example", "192.168.1.5", "fd00::5"].map(str::to_owned);
        let try_host =
            |host| check(&known, &Method::GET, &headers(&[("host", host)]), None).map_err(|e| e.code);
        for fine in [
            "127.0.0.1:7878",
            "localhost",
            "[::1]:7878",
            "Twinloom.Example:80",
            "192.168.1.5:7878",
            "[fd00:0::5]:7878",
        ] {
            try_host(fine).unwrap();
        }
        for wrong in [
            "evil.example",
            "127.0.0.1.evil.example",
            "192.168.1.6:7878",
            "",
            "localhost.evil.example:7878",
        ] {
            assert_eq!(try_host(wrong).unwrap_err(), "request.host", "{wrong}");
        }
    }

    #[test]
    fn writes_from_other_pages_are_refused() {
        let write = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = headers(pairs);
            headers.insert("host", HeaderValue::from_static("127.0.0.1:7878"));
            check(&[], &Method::POST, &headers, None).map_err(|problem| problem.code)
        };
        write(&[]).unwrap();
        write(&[
            ("origin", "http://127.0.0.1:7878"),
            ("sec-fetch-site", "same-origin"),
        ])
        .unwrap();
        for foreign in ["http://evil.example", "null", "http://127.0.0.1:9999"] {
            assert_eq!(
                write(&[("origin", foreign)]).unwrap_err(),
                "request.origin",
                "{foreign}"
            );
        }
        assert_eq!(
            write(&[("sec-fetch-site", "cross-site")]).unwrap_err(),
            "request.origin"
        );
    }
}
