//! Headers, hosts, limits, repeated writes, secrets, health.

use std::io::Write as _;

use reqwest::{Method, StatusCode};
use serde_json::json;
use twinloom_server::ServerConfig;

use crate::support::{GREET, Running, listen, listen_with};

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_the_security_headers() {
    let server = Running::start(&[]).await;
    for path in ["/", "/runs/x", "/api/v1/me", "/api/v1/nothing", "/healthz"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("script-src 'self';"),
            "{path}"
        );
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers()["x-frame-options"], "DENY", "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hosts_and_other_pages_are_refused() {
    let server = Running::start(&[("greet", GREET)]).await;
    let (status, problem) = server
        .answer(
            server
                .request(Method::GET, "/api/v1/me")
                .header("host", "evil.example"),
        )
        .await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (421, Some("request.host"))
    );
    let write = || {
        server
            .request(Method::POST, "/api/v1/dags/greet/runs")
            .json(&json!({}))
    };
    let (status, problem) = server
        .answer(write().header("origin", "http://evil.example"))
        .await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("request.origin"))
    );
    let form = server
        .request(Method::POST, "/api/v1/dags/greet/runs")
        .header("content-type", "text/plain")
        .body("{}");
    assert_eq!(server.answer(form).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(server.get("/runs").await["items"], json!([]));
    let own = server.base.clone();
    assert_eq!(
        server.answer(write().header("origin", own)).await.0,
        StatusCode::CREATED
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_write_has_one_effect() {
    let server = Running::start(&[("greet", GREET)]).await;
    let write = |body| {
        server
            .request(Method::POST, "/api/v1/dags/greet/runs")
            .header("idempotency-key", "k1")
            .json(&body)
    };
    let (first, body) = server.answer(write(json!({ "params": { "who": "Ada" } }))).await;
    let again = write(json!({ "params": { "who": "Ada" } })).send().await.unwrap();
    assert_eq!(
        (first, again.status()),
        (StatusCode::CREATED, StatusCode::CREATED)
    );
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<serde_json::Value>().await.unwrap(), body);
    let (status, problem) = server.answer(write(json!({ "params": { "who": "Bob" } }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(server.get("/runs").await["items"].as_array().unwrap().len(), 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_are_refused() {
    let server = Running::start(&[]).await;
    let large = json!({ "text": "x".repeat(3 << 20) });
    let (status, _) = server.post("/validate", large).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_goes_in_and_never_comes_out() {
    let server = Running::start(&[]).await;
    let put = server
        .request(Method::PUT, "/api/v1/secrets/HOOK")
        .json(&json!({ "value": "open-sesame-42" }));
    assert_eq!(server.answer(put).await.0, StatusCode::OK);
    let (_, token) = server.post("/tokens", json!({ "name": "ci" })).await;
    let token = token["token"].as_str().unwrap().to_owned();
    for path in [
        "/secrets",
        "/secrets/HOOK",
        "/audit",
        "/events",
        "/tokens",
        "/storage",
        "/me",
    ] {
        let body = server.get(path).await.to_string();
        assert!(
            !body.contains("open-sesame-42") && !body.contains(&token),
            "{path}"
        );
    }
    let database = std::fs::read(server.home.path().join("twinloom.db")).unwrap();
    let log = std::fs::read(server.home.path().join("twinloom.db-wal")).unwrap_or_default();
    for bytes in [database, log] {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains("open-sesame-42") && !text.contains(&token));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_of_a_request_tells_nothing_of_its_body() {
    let server = Running::start(&[]).await;
    let (path, body) = ("/api/v1/secrets/HOOK", r#"{"value":"1234"}"#);
    let put = server
        .request(Method::PUT, path)
        .header("idempotency-key", "k1")
        .header("content-type", "application/json")
        .body(body);
    assert_eq!(server.answer(put).await.0, StatusCode::OK);
    let (now, old) = (jiff::Timestamp::now(), jiff::Timestamp::UNIX_EPOCH);
    let row = twinloom_meta::KeptAnswer {
        key: "local\nk1".to_owned(),
        fingerprint: String::new(),
        at: now,
        owner: String::new(),
        status: None,
        content_type: None,
        body: None,
    };
    let kept = server.meta().claim_answer(&row, old, old).await.unwrap().unwrap();
    let guess = blake3::hash(format!("PUT {path}\n{body}").as_bytes())
        .to_hex()
        .to_string();
    assert_eq!(kept.fingerprint.len(), guess.len());
    assert_ne!(
        kept.fingerprint, guess,
        "whoever has the database could try values"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_figures_are_there() {
    let server = Running::start(&[("greet", GREET)]).await;
    server.run("greet", json!({})).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            server.answer(server.request(Method::GET, path)).await.0,
            StatusCode::OK
        );
    }
    // The figures follow the scheduler's events.
    for _ in 0..200 {
        let (_, text) = server.answer(server.request(Method::GET, "/metrics")).await;
        let text = text.as_str().unwrap();
        let wanted = [
            "twinloom_queue_depth 0",
            "twinloom_runs_total{dag=\"greet\",state=\"succeeded\"} 1",
            "twinloom_task_run_seconds_bucket",
            "twinloom_task_queue_seconds_count",
        ];
        if wanted.iter().all(|one| text.contains(one)) {
            return server.stop().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the figures never came");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_its_scheduler_is_not_ready() {
    let server = Running::start(&[]).await;
    let ready = async || server.answer(server.request(Method::GET, "/readyz")).await;
    assert_eq!(ready().await.0, StatusCode::OK);
    server.service.shutdown().await;
    let (status, problem) = ready().await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, Some("run.stopped"))
    );
    assert_eq!(
        server.answer(server.request(Method::GET, "/healthz")).await.0,
        StatusCode::OK
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_cannot_reach_it_without_a_login() {
    let server = Running::start(&[]).await;
    let error = listen(&server.service, "0.0.0.0:0").await.err().unwrap();
    assert_eq!(error.code(), "server.needs_login");
    let named = |name: &str| ServerConfig {
        host_names: vec![name.to_owned()],
        ..ServerConfig::default()
    };
    // A proxy passes on what others ask for by that name.
    let error = listen_with(&server.service, named("twin.example")).await;
    assert_eq!(error.err().unwrap().code(), "server.needs_login");
    for name in ["localhost", "127.0.0.2", "::1"] {
        let here = listen_with(&server.service, named(name)).await;
        here.ok().unwrap().shutdown().await;
    }
    let body = json!({ "name": "ada", "roles": ["admin"], "password": "correct horse battery" });
    assert_eq!(server.post("/users", body).await.0, StatusCode::CREATED);
    listen(&server.service, "0.0.0.0:0")
        .await
        .ok()
        .unwrap()
        .shutdown()
        .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_from_outside_when_the_last_user_is_gone() {
    let mut server = Running::start(&[("greet", GREET)]).await;
    let body = json!({ "name": "ada", "roles": ["admin"], "password": "correct horse battery" });
    assert_eq!(server.post("/users", body.clone()).await.0, StatusCode::CREATED);
    let open = listen(&server.service, "0.0.0.0:0").await.ok().unwrap();
    server.base = format!("http://127.0.0.1:{}", open.address().port());
    let log_in = json!({ "name": "ada", "password": "correct horse battery" });
    let session = server.request(Method::POST, "/api/v1/session").json(&log_in);
    let session = session.send().await.unwrap();
    let cookie = session.headers()["set-cookie"].to_str().unwrap().to_owned();
    let csrf = session.json::<serde_json::Value>().await.unwrap()["csrf"].clone();
    let delete = server
        .request(Method::DELETE, "/api/v1/users/ada")
        .header("cookie", cookie.split(';').next().unwrap())
        .header("x-csrf-token", csrf.as_str().unwrap());
    assert_eq!(server.answer(delete).await.1["code"], "user.last_admin");
    // Whoever holds the database can still do it.
    server.meta().delete_user("ada").await.unwrap();
    for (method, path) in [
        (Method::GET, "/overview"),
        (Method::GET, "/users"),
        (Method::POST, "/users"),
    ] {
        let request = server.request(method, &format!("/api/v1{path}")).json(&body);
        let (status, problem) = server.answer(request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}: {problem}");
    }
    let me = server.get("/me").await;
    assert_eq!(
        (me["login_required"].as_bool(), me["signed_in"].as_bool()),
        (Some(true), Some(false))
    );
    open.shutdown().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_answers_at_the_address_that_it_listens_on() {
    // The machine's own address, as it would be seen from elsewhere; nothing is sent.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let own = socket
        .connect("192.0.2.1:9")
        .and_then(|()| socket.local_addr())
        .map(|address| address.ip());
    let own = match own {
        Ok(own) if !own.is_loopback() && !own.is_unspecified() => own,
        _ => {
            // Not by a macro: the test harness would keep it to itself.
            let _ = writeln!(
                std::io::stderr(),
                "SKIP: this machine has no address but loopback"
            );
            return;
        }
    };
    let mut server = Running::start(&[]).await;
    let body = json!({ "name": "ada", "roles": ["admin"], "password": "correct horse battery" });
    assert_eq!(server.post("/users", body).await.0, StatusCode::CREATED);
    let open = listen(&server.service, &format!("{own}:0")).await.ok().unwrap();
    server.base = format!("http://{}", open.address());
    assert_eq!(server.get("/me").await["login_required"], true);
    let other = server
        .request(Method::GET, "/api/v1/me")
        .header("host", "192.0.2.7");
    assert_eq!(server.answer(other).await.1["code"], "request.host");
    open.shutdown().await;
    server.stop().await;
}
