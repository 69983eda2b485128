//! Every kind of event at every kind of address: a webhook, Slack, a mail server.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    notify::{Ear, FAIL, put},
    support::{ASK, Running, until},
};

const FRESH: &str = "apiVersion: twinloom/v1\nkind: Dag\nname: fresh\nfreshness: {absent: 1s}\nsteps:\n  \
                     note: {uses: command, with: {argv: [\"true\"]}}\n";

/// A mail server that takes everything in the clear.
struct Post {
    address: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Post {
    async fn open() -> Self {
        let mails: Arc<Mutex<Vec<String>>> = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::clone(&mails);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&taken)));
            }
        });
        Self {
            address,
            mails,
            serving,
        }
    }

    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }

    fn destination(&self, more: Value) -> Value {
        let mut body = json!({
            "kind": "email", "host": "127.0.0.1", "port": self.address.port(), "from": "Twinloom <twin@example.org>",
            "to": ["ada@example.org", "bob@example.org"], "allow_private": true,
            "events": ["run_failed", "approval_wanted", "freshness_missed"],
        });
        let more = more.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(more);
        body
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One conversation; what was said of sender and receivers stands before the mail itself.
async fn take(stream: TcpStream, mails: Arc<Mutex<Vec<String>>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut envelope, mut mail) = (String::new(), None::<String>);
    write.write_all(b"220 post\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(mut text) = mail.take() {
            if line == "." {
                mails.lock().unwrap().push(text);
                write.write_all(b"250 taken\r\n").await.unwrap();
            } else {
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                text.push('\n');
                mail = Some(text);
            }
            continue;
        }
        let word = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match word.as_str() {
            "DATA" => {
                mail = Some(std::mem::take(&mut envelope));
                b"354 go on\r\n"
            }
            "MAIL" | "RCPT" => {
                envelope.push_str(&line);
                envelope.push('\n');
                b"250 fine\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 post\r\n",
        };
        if write.write_all(answer).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_told_at_every_kind_of_address() {
    let (hook, slack, post) = (Ear::open().await, Ear::open().await, Post::open().await);
    let server = Running::start(&[("fails", FAIL), ("ask", ASK)]).await;
    let all = json!(["run_failed", "approval_wanted", "freshness_missed"]);
    put(&server, "/secrets/SLACK", json!({ "value": slack.url() })).await;
    let addresses = [
        (
            "hook",
            json!({ "kind": "webhook", "url": hook.url(), "events": all, "allow_private": true }),
        ),
        (
            "slack",
            json!({ "kind": "slack", "url": "secret:SLACK", "events": all, "allow_private": true }),
        ),
        ("mail", post.destination(json!({ "tls": "none" }))),
    ];
    for (name, address) in addresses {
        put(&server, &format!("/destinations/{name}"), address).await;
    }
    let failed = server.run("fails", json!({})).await;
    let asked = server.run("ask", json!({})).await;
    std::fs::write(server.home.path().join("dags/fresh.yaml"), FRESH).unwrap();
    until("three events at three addresses", async || {
        [hook.messages().len(), slack.messages().len(), post.mails().len()] == [3; 3]
    })
    .await;
    let base = &server.base;
    let told = [
        (
            "run.failed",
            "Run of fails failed",
            format!("{base}/runs/{failed}"),
        ),
        (
            "approval.wanted",
            "An approval is wanted: approve",
            format!("{base}/approvals/{asked}/approve"),
        ),
        (
            "freshness.missed",
            "absent is older than it may be",
            format!("{base}/datasets/absent"),
        ),
    ];
    let of = |message: &Value, key: &str| message[key].as_str().unwrap().to_owned();
    let mails: Vec<String> = post
        .mails()
        .iter()
        .map(|mail| mail.replace("=\n", "").replace("=3D", "="))
        .collect();
    for (index, (kind, title, page)) in told.into_iter().enumerate() {
        let message = &hook.messages()[index];
        assert_eq!(
            (of(message, "kind"), of(message, "title"), of(message, "url")),
            (kind.into(), title.into(), page.clone())
        );
        let text = of(&slack.messages()[index], "text");
        assert!(
            text.starts_with(&format!("*{title}*\n")) && text.ends_with(&page),
            "{text}"
        );
        let mail = &mails[index];
        for part in [
            "MAIL FROM:<twin@example.org>",
            "RCPT TO:<ada@example.org>",
            "RCPT TO:<bob@example.org>",
            &format!("Subject: [Twinloom] {title}\n"),
            &page,
        ] {
            assert!(mail.contains(part), "{part} is not in {mail}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_in_the_clear_only_where_that_is_said() {
    let post = Post::open().await;
    let server = Running::start(&[("fails", FAIL)]).await;
    let outside = post.destination(json!({ "tls": "none", "allow_private": false }));
    let password = post.destination(json!({ "tls": "none", "user": "ada", "password": "secret:MAIL" }));
    for wrong in [outside, password] {
        let request = server
            .request(Method::PUT, "/api/v1/destinations/mail")
            .json(&wrong);
        let (status, problem) = server.answer(request).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (StatusCode::UNPROCESSABLE_ENTITY, Some("destination.plain_mail"))
        );
    }
    // Its server does not speak TLS.
    put(&server, "/destinations/mail", post.destination(json!({}))).await;
    server.run("fails", json!({})).await;
    until("the failure", async || {
        let rows = server.meta().destinations().await.unwrap();
        rows[0].last_error.is_some()
    })
    .await;
    assert!(post.mails().is_empty());
    server.stop().await;
}
