//! Each role against each route of the document, and the ways to log in.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use twinloom_meta::UserRow;

use crate::support::{ASK, GREET, Running, until};

const PASSWORD: &str = "correct horse battery";

pub async fn user(server: &Running, admin: Option<&str>, name: &str, roles: &[&str]) {
    let body = json!({ "name": name, "roles": roles, "password": PASSWORD });
    let request = server.request(Method::POST, "/api/v1/users").json(&body);
    let request = match admin {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let (status, body) = server.answer(request).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

/// Logs in and draws a token with all scopes that the role allows.
pub async fn token(server: &Running, name: &str, scopes: &[&str]) -> String {
    let (cookie, csrf) = log_in(server, name).await;
    let request = server
        .request(Method::POST, "/api/v1/tokens")
        .header("cookie", cookie)
        .header("x-csrf-token", csrf)
        .json(&json!({ "name": "test", "scopes": scopes }));
    let (status, body) = server.answer(request).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    body["token"].as_str().unwrap().to_owned()
}

pub async fn log_in(server: &Running, name: &str) -> (String, String) {
    let body = json!({ "name": name, "password": PASSWORD });
    let answer = server
        .request(Method::POST, "/api/v1/session")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let body: Value = answer.json().await.unwrap();
    (
        cookie.split(';').next().unwrap().to_owned(),
        body["csrf"].as_str().unwrap().to_owned(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_reaches_the_routes_of_its_permissions_and_no_other() {
    let server = Running::start(&[("greet", GREET)]).await;
    user(&server, None, "root", &["admin"]).await;
    let root = token(&server, "root", &["read", "operate", "approve", "admin"]).await;
    let roles: [(&str, &[&str]); 4] = [
        ("viewer", &["read"]),
        ("operator", &["read", "operate"]),
        ("approver", &["read", "approve"]),
        ("admin", &["read", "operate", "approve", "admin"]),
    ];
    let mut callers: Vec<(&str, Option<String>, &[&str])> = vec![("nobody", None, &[])];
    for (role, scopes) in roles {
        user(&server, Some(&root), &format!("{role}-user"), &[role]).await;
        callers.push((
            role,
            Some(token(&server, &format!("{role}-user"), scopes).await),
            scopes,
        ));
    }
    let document: Value = serde_json::from_str(&twinloom_server::openapi::text().unwrap()).unwrap();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let rule = operation["x-permission"].as_str().unwrap_or("absent");
            // Names that nothing has, so that nobody changes anything.
            let address = path
                .split('/')
                .map(|part| {
                    if part.starts_with('{') {
                        "absent-thing"
                    } else {
                        part
                    }
                })
                .collect::<Vec<_>>()
                .join("/");
            for (role, token, permissions) in &callers {
                if path.ends_with("/stream") && (rule != "read" || token.is_some()) {
                    continue;
                }
                let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                let mut request = server.request(method.clone(), &address);
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                if method != Method::GET {
                    // Refused before it is read by those who may not; wrong for those who may.
                    request = request.header("content-type", "application/json").body("[0]");
                }
                let (status, body) = server.answer(request).await;
                let place = format!("{role}: {method} {path}: {status} {body}");
                tried += 1;
                match rule {
                    "public" => assert!(
                        !matches!(body["code"].as_str(), Some("auth.denied" | "auth.required")),
                        "{place}"
                    ),
                    _ if token.is_none() => assert_eq!(body["code"], "auth.required", "{place}"),
                    "signed_in" => assert_ne!(body["code"], "auth.denied", "{place}"),
                    rule if permissions.contains(&rule) => assert_ne!(body["code"], "auth.denied", "{place}"),
                    _ => {
                        assert_eq!(status, StatusCode::FORBIDDEN, "{place}");
                        assert_eq!(body["code"], "auth.denied", "{place}");
                    }
                }
                assert!(
                    status.as_u16() != 500 && body["code"] != "auth.no_rule",
                    "{place}"
                );
            }
        }
    }
    assert!(tried > 250, "{tried}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_needs_its_csrf_token_to_write_and_ends() {
    let server = Running::start(&[("greet", GREET)]).await;
    user(&server, None, "ada", &["admin"]).await;
    let (cookie, csrf) = log_in(&server, "ada").await;
    let me = server
        .answer(
            server
                .request(Method::GET, "/api/v1/me")
                .header("cookie", &cookie),
        )
        .await
        .1;
    assert_eq!(
        (me["name"].as_str(), me["csrf"].as_str()),
        (Some("ada"), Some(csrf.as_str()))
    );
    let write = || {
        server
            .request(Method::POST, "/api/v1/dags/greet/pause")
            .header("cookie", &cookie)
    };
    assert_eq!(server.answer(write()).await.1["code"], "auth.csrf");
    assert_eq!(
        server.answer(write().header("x-csrf-token", "wrong")).await.1["code"],
        "auth.csrf"
    );
    assert_eq!(
        server.answer(write().header("x-csrf-token", &csrf)).await.0,
        StatusCode::OK
    );
    let out = server
        .request(Method::DELETE, "/api/v1/session")
        .header("cookie", &cookie);
    assert_eq!(server.answer(out).await.0, StatusCode::OK);
    assert_eq!(
        server.answer(write().header("x-csrf-token", &csrf)).await.1["code"],
        "auth.required"
    );
    let wrong = json!({ "name": "ada", "password": "wrong horse battery" });
    let (status, problem) = server.post("/session", wrong).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("auth.login"))
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_at_the_same_time_are_no_way_past_the_throttle() {
    let server = Running::start(&[]).await;
    user(&server, None, "ada", &["admin"]).await;
    let wrong = |n: u32| {
        let body = json!({ "name": "ada", "password": format!("wrong horse battery {n}") });
        server.request(Method::POST, "/api/v1/session").json(&body).send()
    };
    let answers = futures::future::join_all((0..20).map(wrong)).await;
    let of = |status: StatusCode| {
        let with = answers
            .iter()
            .filter(|answer| answer.as_ref().unwrap().status() == status);
        with.count()
    };
    assert_eq!(
        (of(StatusCode::UNAUTHORIZED), of(StatusCode::TOO_MANY_REQUESTS)),
        (5, 15)
    );
    let right = json!({ "name": "ada", "password": PASSWORD });
    assert_eq!(server.post("/session", right).await.1["code"], "auth.throttled");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_are_asked_may_approve() {
    let server = Running::start(&[("ask", ASK)]).await;
    let run = server.run("ask", json!({})).await;
    user(&server, None, "root", &["admin"]).await;
    let root = token(&server, "root", &["read", "approve", "admin"]).await;
    user(&server, Some(&root), "bob", &["operator"]).await;
    user(&server, Some(&root), "eve", &["approver"]).await;
    let path = format!("/api/v1/approvals/{run}/approve");
    let decide = |token: &str| {
        let body = json!({ "approved": true, "comment": "fine" });
        server.request(Method::POST, &path).bearer_auth(token).json(&body)
    };
    let bob = token(&server, "bob", &["read", "operate"]).await;
    assert_eq!(server.answer(decide(&bob)).await.1["code"], "auth.denied");
    let looks = token(&server, "eve", &["read"]).await;
    assert_eq!(server.answer(decide(&looks)).await.1["code"], "auth.denied");
    let eve = token(&server, "eve", &["read", "approve"]).await;
    assert_eq!(server.answer(decide(&eve)).await.0, StatusCode::OK);
    let audit = server
        .answer(server.request(Method::GET, "/api/v1/audit").bearer_auth(&root))
        .await
        .1;
    let text = audit.to_string();
    assert!(
        text.contains("\"api.decide\"") && text.contains("\"eve\""),
        "{text}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_stays() {
    let server = Running::start(&[]).await;
    let first = json!({ "name": "bob", "roles": ["viewer"], "password": PASSWORD });
    assert_eq!(server.post("/users", first).await.1["code"], "user.first");
    user(&server, None, "root", &["admin"]).await;
    let root = token(&server, "root", &["read", "admin"]).await;
    user(&server, Some(&root), "bob", &["viewer"]).await;
    let delete = server
        .request(Method::DELETE, "/api/v1/users/root")
        .bearer_auth(&root);
    assert_eq!(server.answer(delete).await.1["code"], "user.last_admin");
    let demote = server
        .request(Method::PATCH, "/api/v1/users/root")
        .bearer_auth(&root)
        .json(&json!({ "roles": ["viewer"] }));
    assert_eq!(server.answer(demote).await.1["code"], "user.last_admin");
    // Two who remove each other at once: one of them stays.
    user(&server, Some(&root), "eve", &["admin"]).await;
    let eve = token(&server, "eve", &["read", "admin"]).await;
    let remove = |who: &str, by: &str| {
        let path = format!("/api/v1/users/{who}");
        server.answer(server.request(Method::DELETE, &path).bearer_auth(by))
    };
    let (one, other) = tokio::join!(remove("root", &eve), remove("eve", &root));
    assert_ne!(one.0.is_success(), other.0.is_success(), "{one:?} {other:?}");
    let admins = server.meta().users().await.unwrap();
    let is_admin = |user: &&UserRow| user.roles == ["admin"];
    assert_eq!(admins.iter().filter(is_admin).count(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_without_its_secret_says_to_come_again_and_names_nothing() {
    let hooked = "apiVersion: twinloom/v1\nkind: Dag\nname: hooked\non: {webhook: {secret: \"secret:NOT_SET\"}}\nsteps:\n  \
                  note: {uses: command, with: {argv: [\"true\"]}}\n";
    let server = Running::start(&[("hooked", hooked)]).await;
    let (status, problem) = server.post("/hooks/hooked", json!({})).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("webhook.no_secret"))
    );
    assert!(!problem.to_string().contains("NOT_SET"), "{problem}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_leave_rows_only_for_what_there_is() {
    let hooked = "apiVersion: twinloom/v1\nkind: Dag\nname: hooked\non: {webhook: {secret: \"secret:HOOK\"}}\nsteps:\n  \
                  note: {uses: command, with: {argv: [\"true\"]}}\n";
    let server = Running::start(&[("hooked", hooked)]).await;
    user(&server, None, "ada", &["admin"]).await;
    let before = server.meta().audit(1_000).await.unwrap().len();
    let send = async |path: &str, key: &str, body: Value| {
        let request = server.request(Method::POST, &format!("/api/v1{path}"));
        let request = request.header("idempotency-key", key).json(&body);
        assert!(!server.answer(request).await.0.is_success(), "{path}");
    };
    for n in 0..30 {
        send(&format!("/hooks/absent-{n}"), &n.to_string(), json!({})).await;
        let login = json!({ "name": format!("absent-{n}"), "password": "wrong horse battery" });
        if n < 3 {
            send("/session", &format!("s{n}"), login).await;
        }
    }
    assert!(server.meta().open_claims().await.unwrap().is_empty());
    let wrong = json!({ "name": "ada", "password": "wrong horse battery" });
    send("/session", "a", wrong).await;
    for n in 0..100 {
        send("/hooks/hooked", &n.to_string(), json!({})).await;
    }
    let audit = async || server.meta().audit(1_000).await.unwrap();
    until("the notes of both", async || {
        let rows = audit().await;
        rows.iter().any(|row| row.detail["user"] == "ada")
            && rows.iter().any(|row| row.action == "api.receive_hook")
    })
    .await;
    let rows = audit().await;
    assert!(
        rows.iter().all(|row| !row.subject.contains("absent")),
        "{rows:#?}"
    );
    // A burst of ten, and one a second after it.
    assert!(rows.len() - before < 50, "{}", rows.len());
    server.stop().await;
}
