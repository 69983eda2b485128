//! Streams: nothing is lost or doubled, whenever a client comes back.

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    roles::{log_in, token, user},
    support::{GREET, Running, listen_with},
};

/// Reads a stream until `enough`; the events as (type, id, data).
async fn read(
    server: &Running,
    path: &str,
    last: Option<&str>,
    enough: impl Fn(&[(String, String, Value)]) -> bool,
) -> Vec<(String, String, Value)> {
    let mut request = server
        .request(Method::GET, path)
        .header("accept", "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let mut body = request.send().await.unwrap().bytes_stream();
    let (mut text, mut events) = (String::new(), Vec::new());
    while let Some(bytes) = body.next().await {
        text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
        while let Some(end) = text.find("\n\n") {
            let block: String = text.drain(..end + 2).collect();
            let field = |name: &str| {
                let line = block.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            if block.starts_with(':') {
                continue;
            }
            let data = serde_json::from_str(&field("data:")).unwrap_or_default();
            events.push((field("event:"), field("id:"), data));
        }
        if enough(&events) {
            return events;
        }
    }
    events
}

fn ids(events: &[(String, String, Value)]) -> Vec<i64> {
    let logged = events.iter().filter(|(kind, ..)| kind == "event");
    logged.map(|(_, id, _)| id.parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_resumed_without_loss_or_repetition() {
    let server = Running::start(&[("greet", GREET)]).await;
    let ended = |count: usize| {
        move |events: &[(String, String, Value)]| {
            let ends = events
                .iter()
                .filter(|(kind, _, data)| kind == "event" && data["kind"] == "run.ended");
            ends.count() >= count
        }
    };
    let follow = read(&server, "/api/v1/stream?after=0", None, ended(2));
    let runs = async {
        server.run("greet", json!({ "who": "Ada" })).await;
        server.run("greet", json!({ "who": "Bob" })).await;
    };
    let (live, ()) = tokio::join!(follow, runs);
    let stored: Vec<i64> = server
        .meta()
        .events_after(0, 1000)
        .await
        .unwrap()
        .iter()
        .map(|row| row.id)
        .collect();
    assert_eq!(live[0].0, "hello");
    let seen = ids(&live);
    assert_eq!(seen, stored[..seen.len()], "in order, none left out, none twice");
    assert!(live.iter().any(|(kind, id, _)| kind == "task" && id.is_empty()));
    // From every place a client may have stopped at.
    for cut in 0..seen.len() - 1 {
        let wanted = seen.len() - cut - 1;
        let rest = read(
            &server,
            "/api/v1/stream",
            Some(&seen[cut].to_string()),
            |events| ids(events).len() >= wanted,
        )
        .await;
        assert_eq!(ids(&rest)[..wanted], seen[cut + 1..]);
    }
    server.stop().await;
}

const NOISY: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: noisy
steps:
  talk:
    uses: command
    executor: inline
    with: {argv: [sh, -c, 'i=0; while [ $i -lt 40 ]; do echo "line $i" >&2; i=$((i+1)); [ $((i % 10)) -eq 0 ] && sleep 0.05; done']}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_to_its_end_and_resumed_at_any_line() {
    let server = Running::start(&[("noisy", NOISY)]).await;
    let (_, body) = server.post("/dags/noisy/runs", json!({})).await;
    let run = body["run"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/runs/{run}/tasks/talk/logs");
    let all = read(&server, &path, None, |_| false).await;
    assert_eq!(all.last().unwrap().0, "end");
    let said = |events: &[(String, String, Value)]| -> Vec<String> {
        let lines = events.iter().filter_map(|(_, _, data)| data["message"].as_str());
        lines
            .filter(|line| line.starts_with("line "))
            .map(str::to_owned)
            .collect()
    };
    let expected: Vec<String> = (0..40).map(|n| format!("line {n}")).collect();
    assert_eq!(said(&all), expected);
    let lines: Vec<_> = all.iter().filter(|(kind, ..)| kind == "log").collect();
    let middle = &lines[lines.len() / 2];
    let rest = read(&server, &path, Some(&middle.1), |_| false).await;
    let after = lines
        .iter()
        .skip(lines.len() / 2 + 1)
        .map(|(_, id, _)| id.clone());
    let resumed: Vec<_> = rest
        .iter()
        .filter(|(kind, ..)| kind == "log")
        .map(|(_, id, _)| id.clone())
        .collect();
    assert_eq!(resumed, after.collect::<Vec<_>>());
    server.stop().await;
}

/// Reads a stream to its end, which must come.
async fn to_its_end(response: reqwest::Response) {
    assert_eq!(response.status(), reqwest::StatusCode::OK);
    let end = tokio::time::timeout(std::time::Duration::from_secs(60), response.bytes()).await;
    end.expect("the stream goes on").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_the_login_of_its_reader() {
    let mut server = Running::start(&[("greet", GREET)]).await;
    let config = twinloom_server::ServerConfig {
        look_again: std::time::Duration::from_millis(100),
        ..Default::default()
    };
    let quick = listen_with(&server.service, config).await.ok().unwrap();
    server.base = format!("http://{}", quick.address());
    let stream = || server.request(Method::GET, "/api/v1/stream");
    let local = stream().send().await.unwrap();
    user(&server, None, "root", &["admin"]).await;
    // Nobody is logged in who was there before there was a login.
    to_its_end(local).await;

    let root = token(&server, "root", &["read", "admin"]).await;
    user(&server, Some(&root), "bob", &["viewer"]).await;
    let (cookie, csrf) = log_in(&server, "bob").await;
    let bobs = token(&server, "bob", &["read"]).await;
    let by_session = stream().header("cookie", &cookie).send().await.unwrap();
    let by_token = stream().bearer_auth(&bobs).send().await.unwrap();
    let stays = stream().bearer_auth(&root).send().await.unwrap();
    let out = server
        .request(Method::DELETE, "/api/v1/session")
        .header("cookie", &cookie)
        .header("x-csrf-token", &csrf);
    server.answer(out).await;
    to_its_end(by_session).await;
    let delete = server
        .request(Method::DELETE, "/api/v1/users/bob")
        .bearer_auth(&root);
    server.answer(delete).await;
    to_its_end(by_token).await;
    let mut stays = stays.bytes_stream();
    assert!(stays.next().await.unwrap().is_ok(), "the others read on");
    drop(stays);
    quick.shutdown().await;
    server.stop().await;
}
