//! A client of `twinloom-torch serve`: JSON lines in, JSON lines out, any number of requests open at a time.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
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

/// A request for text.
#[derive(Debug, Clone, Serialize)]
pub struct Generate {
    /// Folder of the base checkpoint, or of a whole model.
    pub model: PathBuf,
    /// Folder of a LoRA adapter in PEFT's layout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    /// Chat messages, rendered through the checkpoint's chat template.
    pub messages: Vec<Value>,
    /// Texts that end the answer; they are left out of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// How to pick tokens.
    #[serde(flatten)]
    pub sampling: Sampling,
}

/// How to pick tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// At most so many tokens.
    pub max_new_tokens: usize,
    /// 0 always picks the likeliest.
    pub temperature: f64,
    /// Only so many of the likeliest tokens; 0 is off.
    pub top_k: usize,
    /// Nucleus: the smallest set of tokens with this much probability.
    pub top_p: f64,
    /// Only tokens with this share of the likeliest one's probability; 0 is off.
    pub min_p: f64,
    /// Tokens of the text so far are this much less likely; 1 is off.
    pub repetition_penalty: f64,
    /// Equal seeds give equal text.
    pub seed: u64,
}

impl Default for Sampling {
    /// Greedily, up to 256 tokens.
    fn default() -> Self {
        Self {
            max_new_tokens: 256,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
        }
    }
}

/// Generated text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Generated {
    /// The text.
    pub text: String,
    /// Tokens generated.
    pub new_tokens: u64,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens at the prompt's start that did not fit the model's context.
    pub prompt_truncated: u64,
    /// Tokens of the prompt that had been read before for others.
    pub cached_tokens: u64,
    /// Why it ended: `stop` or `length`.
    pub finish: String,
}

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

#[derive(Deserialize)]
struct Ranked {
    order: Vec<usize>,
    scores: Vec<f32>,
}

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: String,
    message: String,
    #[serde(default)]
    hint: String,
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
            // Set from outside, the worker need not start itself a second time to have it.
            .env("OMP_WAIT_POLICY", "PASSIVE")
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

    /// Embeds texts, unit length each.
    ///
    /// # Errors
    /// What the worker says.
    pub async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, GatewayError> {
        let mut reply = self.send("embed", json!({ "texts": texts })).await?;
        Ok(reply.last::<Vectors>().await?.vectors)
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
        let body = json!({ "model": model, "query": query, "documents": documents });
        let Ranked { order, scores } = self.send("rerank", body).await?.last().await?;
        let scored = order.into_iter().map(|at| Some((at, *scores.get(at)?)));
        Ok(scored.flatten().collect())
    }

    /// Generates text.
    ///
    /// # Errors
    /// What the worker says.
    pub async fn generate(&self, request: &Generate) -> Result<Generated, GatewayError> {
        let body = serde_json::to_value(request).map_err(broken)?;
        self.send("generate", body).await?.last().await
    }

    /// Generates text, to be taken part by part.
    ///
    /// # Errors
    /// [`GatewayError::Worker`]; what the worker says comes with the parts.
    pub async fn stream(&self, request: &Generate) -> Result<Writing, GatewayError> {
        let mut body = serde_json::to_value(request).map_err(broken)?;
        body["stream"] = json!(true);
        self.send("generate", body).await
    }

    /// What the worker's language models do, as it tells it.
    ///
    /// # Errors
    /// What the worker says.
    pub async fn stats(&self) -> Result<Value, GatewayError> {
        self.send("stats", json!({})).await?.last().await
    }

    async fn send(&self, op: &str, mut body: Value) -> Result<Writing, GatewayError> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        body["id"] = json!(id);
        body["op"] = json!(op);
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
        let line = line(&body)?;
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
            && let Ok(line) = line(&json!({"id": 0, "op": "cancel", "request": self.id}))
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

fn line(body: &Value) -> Result<Vec<u8>, GatewayError> {
    let mut line = serde_json::to_vec(body).map_err(broken)?;
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
