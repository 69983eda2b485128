//! A client of `twinloom-torch serve`: JSON lines in, JSON lines out, any number of requests open at a time.

use std::{
    collections::HashMap,
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
};
use twinloom_sdk::{
    serving::{Embed, Embedded, Generate, Generated, Ranked, Refusal, Request, Rerank},
    worker::environment,
};

use crate::GatewayError;

/// Requests that may wait to be written to the worker.
const WAITING: usize = 1024;

/// A running worker, to be shared by reference. It ends when this is dropped.
pub struct TorchWorker {
    // Held for its `kill_on_drop`.
    _child: Child,
    requests: mpsc::Sender<Vec<u8>>,
    open: Open,
    last_id: AtomicU64,
}

/// Who waits for replies, by the number of the request; `None` once the worker has ended.
#[derive(Clone)]
struct Open(Arc<Mutex<Option<Waiting>>>);

type Waiting = HashMap<u64, mpsc::UnboundedSender<Value>>;

/// What comes of a request for text.
#[derive(Debug, Clone)]
pub enum Part {
    /// The next part.
    Text(String),
    /// The end, with the whole.
    Done(Generated),
}

/// A text that is being written. Dropped before its end, it is taken back.
pub struct Writing {
    id: u64,
    replies: mpsc::UnboundedReceiver<Value>,
    requests: mpsc::Sender<Vec<u8>>,
    open: Open,
    ended: bool,
}

impl TorchWorker {
    /// Starts the program with `serve`.
    ///
    /// # Errors
    /// [`GatewayError::Spawn`].
    pub fn start(program: &Path) -> Result<Self, GatewayError> {
        let failed = |source| GatewayError::Spawn {
            path: program.to_owned(),
            source,
        };
        let mut child = Command::new(program)
            .arg("serve")
            .envs(environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(GatewayError::Worker {
                reason: "it has no pipes".to_owned(),
            });
        };
        let open = Open(Arc::new(Mutex::new(Some(HashMap::new()))));
        let (requests, to_write) = mpsc::channel(WAITING);
        tokio::spawn(write(stdin, to_write));
        tokio::spawn(read(stdout, open.clone()));
        Ok(Self {
            _child: child,
            requests,
            open,
            last_id: AtomicU64::new(0),
        })
    }

    /// Embeds texts.
    ///
    /// # Errors
    /// What the worker says, `model.input` among it where the embedder is another than the one to compare with.
    pub async fn embed(&self, asked: Embed) -> Result<Embedded, GatewayError> {
        self.send(&Request::Embed(asked)).await?.last().await
    }

    /// Orders documents by how well they answer a question, by a cross-encoder (its folder, or its name on the hub):
    /// places in `documents` with their scores, best first.
    ///
    /// # Errors
    /// What the worker says.
    pub async fn rerank(
        &self,
        model: &str,
        query: &str,
        documents: &[String],
    ) -> Result<Vec<(usize, f32)>, GatewayError> {
        let request = Request::Rerank(Rerank {
            model: model.to_owned(),
            query: query.to_owned(),
            documents: documents.to_vec(),
            max_length: None,
        });
        let Ranked { order, scores, .. } = self.send(&request).await?.last().await?;
        let scored = order.into_iter().map(|at| Some((at, *scores.get(at)?)));
        Ok(scored.flatten().collect())
    }

    /// Generates text.
    ///
    /// # Errors
    /// What the worker says.
    pub async fn generate(&self, request: &Generate) -> Result<Generated, GatewayError> {
        let request = Generate {
            stream: false,
            ..request.clone()
        };
        self.send(&Request::Generate(Box::new(request)))
            .await?
            .last()
            .await
    }

    /// Generates text, to be taken part by part.
    ///
    /// # Errors
    /// [`GatewayError::Worker`]; what the worker says comes with the parts.
    pub async fn stream(&self, request: Generate) -> Result<Writing, GatewayError> {
        let request = Generate {
            stream: true,
            ..request
        };
        self.send(&Request::Generate(Box::new(request))).await
    }

    /// What the worker's language models do, as it tells it.
    ///
    /// # Errors
    /// What the worker says.
    pub async fn stats(&self) -> Result<Value, GatewayError> {
        self.send(&Request::Stats).await?.last().await
    }

    async fn send(&self, request: &Request) -> Result<Writing, GatewayError> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (reply, replies) = mpsc::unbounded_channel();
        match self.open.lock().as_mut() {
            Some(open) => drop(open.insert(id, reply)),
            None => return Err(gone()),
        }
        let writing = Writing {
            id,
            replies,
            requests: self.requests.clone(),
            open: self.open.clone(),
            ended: false,
        };
        let line = line(id, request)?;
        self.requests.send(line).await.map_err(|_| gone())?;
        Ok(writing)
    }
}

impl Writing {
    /// The next part; `None` after the end.
    ///
    /// # Errors
    /// What the worker says; nothing comes after that.
    pub async fn next(&mut self) -> Result<Option<Part>, GatewayError> {
        if self.ended {
            return Ok(None);
        }
        let mut reply = self.reply().await?;
        if let Some(Value::String(text)) = reply.get_mut("delta").map(Value::take) {
            return Ok(Some(Part::Text(text)));
        }
        self.ended = true;
        serde_json::from_value(reply)
            .map(|whole| Some(Part::Done(whole)))
            .map_err(broken)
    }

    /// The only reply of a request without parts.
    async fn last<T: DeserializeOwned>(&mut self) -> Result<T, GatewayError> {
        let reply = self.reply().await?;
        self.ended = true;
        serde_json::from_value(reply).map_err(broken)
    }

    async fn reply(&mut self) -> Result<Value, GatewayError> {
        let Some(mut reply) = self.replies.recv().await else {
            self.ended = true;
            return Err(gone());
        };
        if let Some(error) = reply.get_mut("error").filter(|error| !error.is_null()) {
            self.ended = true;
            let Refusal { code, message, hint } = serde_json::from_value(error.take()).map_err(broken)?;
            return Err(GatewayError::Refused { code, message, hint });
        }
        Ok(reply)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(open) = self.open.lock().as_mut() {
            open.remove(&self.id);
        }
        if !self.ended
            && let Ok(line) = line(
                0,
                &Request::Cancel {
                    request: json!(self.id),
                },
            )
        {
            // A worker that is too busy to be told finishes the text for nobody.
            let _ = self.requests.try_send(line);
        }
    }
}

impl Open {
    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(mut stdin: ChildStdin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

/// Hands replies to who waits for them; when the worker ends, all who wait learn it.
async fn read(stdout: ChildStdout, open: Open) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(reply) = serde_json::from_str::<Value>(&line) else {
            tracing::warn!("the libtorch worker said something that is no reply");
            continue;
        };
        let id = reply.get("id").and_then(Value::as_u64).unwrap_or_default();
        if let Some(waits) = open.lock().as_ref().and_then(|open| open.get(&id)) {
            let _ = waits.send(reply);
        }
    }
    *open.lock() = None;
}

fn line(id: u64, request: &Request) -> Result<Vec<u8>, GatewayError> {
    let mut body = serde_json::to_value(request).map_err(broken)?;
    body["id"] = json!(id);
    let mut line = serde_json::to_vec(&body).map_err(broken)?;
    line.push(b'\n');
    Ok(line)
}

fn gone() -> GatewayError {
    GatewayError::Worker {
        reason: "it ended without a reply".to_owned(),
    }
}

fn broken(error: impl std::fmt::Display) -> GatewayError {
    GatewayError::Worker {
        reason: error.to_string(),
    }
}
