//! A server that forgets the condition of a conditional put is refused, by name.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use twinloom_store::{FeatureStore, StoreLocation};

/// An S3 server that takes every PUT, whatever `If-None-Match` says.
async fn careless_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket));
        }
    });
    port
}

async fn serve(mut socket: TcpStream) {
    let mut received = Vec::new();
    loop {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else {
            if socket.read_buf(&mut received).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |n| n.trim().parse().unwrap());
        while received.len() < end + 4 + length {
            if socket.read_buf(&mut received).await.unwrap_or(0) == 0 {
                return;
            }
        }
        received.drain(..end + 4 + length);
        let answer = if head.starts_with("put") {
            "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 204 No Content\r\n\r\n"
        };
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_careless_server_is_refused() {
    let port = careless_server().await;
    let mut location = StoreLocation::new("s3://bucket/prefix");
    let options = [
        ("endpoint", format!("http://127.0.0.1:{port}")),
        ("allow_http", "true".to_owned()),
        ("access_key_id", "id".to_owned()),
        ("secret_access_key", "very-secret".to_owned()),
    ];
    location
        .options
        .extend(options.map(|(key, value)| (key.to_owned(), value)));
    let error = FeatureStore::open(&location).await.unwrap_err();
    assert_eq!(error.code(), "store.no_conditional_put", "{error}");
    assert!(
        error.to_string().contains("8 of 8 concurrent writers won"),
        "{error}"
    );
    assert!(!format!("{error} {error:?} {location:?}").contains("very-secret"));
    assert!(
        FeatureStore::open_for_staging(&location).is_ok(),
        "workers, who never commit, need no probe"
    );
}
