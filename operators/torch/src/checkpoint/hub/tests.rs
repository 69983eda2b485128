//! The cache, and a hub on this machine: downloads, interruptions, refusals.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Hub, HubName};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families/mistral")
}

/// A snapshot in a cache, as Hugging Face's tools lay it: files are links to blobs.
fn cached() -> TempDir {
    let cache = tempfile::tempdir().unwrap();
    let root = cache.path().join("models--some--model");
    let snapshot = root.join("snapshots").join(COMMIT);
    for dir in [&snapshot, &root.join("refs"), &root.join("blobs")] {
        fs::create_dir_all(dir).unwrap();
    }
    for name in ["config.json", "model.safetensors"] {
        fs::copy(golden().join(name), root.join("blobs").join(name)).unwrap();
        std::os::unix::fs::symlink(format!("../../blobs/{name}"), snapshot.join(name)).unwrap();
    }
    fs::write(root.join("refs/main"), format!("{COMMIT}\n")).unwrap();
    cache
}

#[test]
fn names_are_told_from_folders_and_never_leave_the_cache() {
    let name = HubName::parse("some/model@v1.0").unwrap();
    assert_eq!((name.plain().as_str(), name.revision()), ("some/model", "v1.0"));
    assert_eq!(
        name.at(COMMIT.to_owned()).to_string(),
        format!("some/model@{COMMIT}")
    );
    assert_eq!(HubName::parse("hf:gpt2").unwrap().to_string(), "hf:gpt2");
    assert_eq!(HubName::parse("a/b@refs/pr/1").unwrap().revision(), "refs/pr/1");
    for odd in [
        "", "gpt2", "/a/b", "./a/b", "../b", "a/../b", "a/b/c", "a/b@../x", "a/b@", "a/", "/b", "hf:",
        "a b/c", "a/.b", "~/m",
    ] {
        assert_eq!(HubName::parse(odd), None, "{odd}");
    }
}

#[test]
fn the_cache_is_read_without_a_network() {
    let cache = cached();
    let hub = Hub::new(cache.path().to_owned(), None);
    let found = hub.locate("some/model").unwrap();
    assert_eq!(found.hub.unwrap().to_string(), format!("some/model@{COMMIT}"));
    assert!(crate::checkpoint::Checkpoint::open(&found.dir).is_ok());
    for same in [
        format!("some/model@{COMMIT}"),
        cache.path().join("models--some--model").display().to_string(),
    ] {
        assert_eq!(hub.locate(&same).unwrap().dir, found.dir);
    }
    let folder = hub.locate(golden().to_str().unwrap()).unwrap();
    assert_eq!((folder.dir, folder.hub), (golden(), None));

    let code = |reference: &str| {
        let error = hub.locate(reference).unwrap_err();
        (error.code(), format!("{error} {}", error.hint()))
    };
    let (unknown, text) = code("some/other");
    assert_eq!(unknown, "model.hub_unreachable");
    assert!(
        text.contains("HF_HUB_OFFLINE") && text.contains("hf download some/other"),
        "{text}"
    );
    assert_eq!(code("/no/such/folder").0, "model.input");
    assert_eq!(code("some/model@v2").0, "model.hub_unreachable");

    // A snapshot that lacks a file counts for nothing.
    fs::remove_file(found.dir.join("model.safetensors")).unwrap();
    assert_eq!(code("some/model").0, "model.hub_unreachable");
}

/// A hub that serves the golden checkpoint. It breaks off the first download of the weights half-way.
struct Server {
    address: String,
    /// Requests, as `METHOD path range`.
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(files: Vec<(&'static str, Vec<u8>)>, status: Option<u16>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(&mut stream.unwrap(), &files, status, &log);
            }
        });
        Self { address, seen }
    }

    fn hub(&self, cache: &Path) -> Hub {
        Hub::new(cache.to_owned(), Some(self.address.clone()))
    }

    fn requests(&self, of: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|request| request.contains(of))
            .cloned()
            .collect()
    }
}

fn answer(stream: &mut TcpStream, files: &[(&str, Vec<u8>)], status: Option<u16>, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut line) = (Vec::new(), String::new());
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        head.push(line.trim().to_lowercase());
        line.clear();
    }
    let Some(first) = head.first().cloned() else {
        return;
    };
    let (method, path) = {
        let mut words = first.split(' ');
        (
            words.next().unwrap().to_owned(),
            words.next().unwrap_or_default().to_owned(),
        )
    };
    let range = head.iter().find_map(|line| line.strip_prefix("range: bytes="));
    let from: usize = range.map_or(0, |range| range.split('-').next().unwrap().parse().unwrap());
    let tried = {
        let mut log = log.lock().unwrap();
        let tried = log
            .iter()
            .any(|entry| entry.starts_with("get") && entry.contains(&path));
        log.push(format!("{method} {path} {from}"));
        tried
    };
    let mut reply = |code: u16, headers: &str, body: &[u8], most: usize| {
        let _ = write!(
            stream,
            "HTTP/1.1 {code} x\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        if method != "head" {
            let _ = stream.write_all(&body[..body.len().min(most)]);
        }
    };
    if let Some(code) = status {
        return reply(code, "", b"{\"error\": \"no\"}", usize::MAX);
    }
    if let Some(file) = path.split(&format!("/resolve/{COMMIT}/")).nth(1) {
        let Some((_, bytes)) = files.iter().find(|(name, _)| *name == file) else {
            return reply(404, "x-error-code: EntryNotFound\r\n", b"", 0);
        };
        let headers = format!("etag: \"{file}\"\r\nx-repo-commit: {COMMIT}\r\n");
        let broken = file.ends_with(".safetensors") && !tried;
        let most = if broken { bytes.len() / 2 } else { usize::MAX };
        return reply(
            if from > 0 { 206 } else { 200 },
            &headers,
            &bytes[from.min(bytes.len())..],
            most,
        );
    }
    let tree: Vec<_> = files
        .iter()
        .map(|(name, bytes)| {
            let hash: String = Sha256::digest(bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            json!({"type": "file", "path": name, "oid": "1", "size": bytes.len(),
                "lfs": {"oid": hash, "sha256": hash, "size": bytes.len(), "pointerSize": 1}})
        })
        .collect();
    let body = if path.contains("/tree/") {
        json!(tree).to_string()
    } else {
        json!({"id": "some/model", "sha": COMMIT}).to_string()
    };
    reply(
        200,
        "content-type: application/json\r\n",
        body.as_bytes(),
        usize::MAX,
    );
    let _ = reader.into_inner().read(&mut []);
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    let read = |name: &str| fs::read(golden().join(name)).unwrap();
    vec![
        ("config.json", read("config.json")),
        ("model.safetensors", read("model.safetensors")),
        ("1_pooling/config.json", b"{}".to_vec()),
        ("onnx/model.safetensors", b"not wanted".to_vec()),
        ("pytorch_model.bin", b"not wanted".to_vec()),
        ("readme.md", b"not wanted".to_vec()),
        ("../escape.json", b"never".to_vec()),
    ]
}

#[test]
fn a_download_goes_on_where_it_broke_off_and_is_pinned() {
    let server = Server::start(files(), None);
    let cache = tempfile::tempdir().unwrap();
    let hub = server.hub(cache.path());
    let error = hub.locate("some/model").unwrap_err();
    assert_eq!(error.code(), "model.hub_unreachable", "{error}");
    let found = hub.locate("some/model").unwrap();
    assert_eq!(found.hub.unwrap().to_string(), format!("some/model@{COMMIT}"));
    let weights = fs::read(golden().join("model.safetensors")).unwrap();
    assert_eq!(fs::read(found.dir.join("model.safetensors")).unwrap(), weights);
    let resumed = server.requests("get /some/model/resolve");
    let last = resumed
        .iter()
        .rfind(|request| request.contains("model.safetensors"))
        .unwrap();
    assert!(last.ends_with(&format!(" {}", weights.len() / 2)), "{resumed:?}");
    assert!(found.dir.join("1_pooling/config.json").is_file());
    assert!(!found.dir.join("onnx").exists() && !found.dir.join("pytorch_model.bin").exists());
    assert!(
        !cache
            .path()
            .join("models--some--model/snapshots/escape.json")
            .exists()
    );

    let before = server.requests("").len();
    assert_eq!(hub.locate("some/model").unwrap().dir, found.dir);
    assert_eq!(
        Hub::new(cache.path().to_owned(), None)
            .locate("some/model")
            .unwrap()
            .dir,
        found.dir
    );
    assert_eq!(
        server.requests("").len(),
        before,
        "the second time nobody is asked"
    );
}

#[test]
fn the_hub_s_refusals_are_told_with_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let ask = |hub: Hub| {
        let error = hub.locate("some/model").unwrap_err();
        (error.code(), format!("{error} {}", error.hint()))
    };
    for (status, code, word) in [
        (401, "model.hub_denied", "HF_TOKEN"),
        (403, "model.hub_denied", "terms"),
        (404, "model.hub_not_found", "name"),
        (418, "model.hub_unreachable", "418"),
    ] {
        let (found, text) = ask(Server::start(vec![], Some(status)).hub(cache.path()));
        assert_eq!(found, code, "{text}");
        assert!(text.contains(word), "{text}");
    }
    let pickles = vec![
        ("config.json", b"{}".to_vec()),
        ("pytorch_model.bin", b"x".to_vec()),
    ];
    let (code, text) = ask(Server::start(pickles, None).hub(cache.path()));
    assert_eq!(code, "model.pickle");
    assert!(text.contains("some/model/pytorch_model.bin"), "{text}");
    let nobody = Hub::new(cache.path().to_owned(), Some("http://127.0.0.1:9".to_owned()));
    let (code, text) = ask(nobody);
    assert_eq!(code, "model.hub_unreachable");
    assert!(text.contains("folder"), "{text}");
}
