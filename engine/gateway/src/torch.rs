//! A client of `twinloom-torch serve`: JSON lines in, JSON lines out, one request at a time.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::GatewayError;

/// A running worker. It ends when this is dropped.
pub struct TorchWorker {
    // Held for its `kill_on_drop`.
    _child: Child,
    requests: ChildStdin,
    replies: BufReader<ChildStdout>,
    last_id: u64,
}

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
    /// How to pick tokens.
    #[serde(flatten)]
    pub sampling: Sampling,
}

/// How to pick tokens.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Sampling {
    /// At most so many tokens.
    pub max_new_tokens: usize,
    /// 0 always picks the likeliest.
    pub temperature: f64,
    /// Nucleus: the smallest set of tokens with this much probability.
    pub top_p: f64,
    /// Tokens of the text so far are this much less likely; 1 is off.
    pub repetition_penalty: f64,
    /// Equal seeds give equal text.
    pub seed: u64,
}

/// Generated text.
#[derive(Debug, Clone, Deserialize)]
pub struct Generated {
    /// The text.
    pub text: String,
    /// Tokens generated.
    #[serde(default)]
    pub new_tokens: u64,
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
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(GatewayError::Worker {
                reason: "it has no pipes".to_owned(),
            });
        };
        Ok(Self {
            _child: child,
            requests,
            replies: BufReader::new(replies),
            last_id: 0,
        })
    }

    /// Embeds texts, unit length each.
    ///
    /// # Errors
    /// What the worker says.
    pub async fn embed(&mut self, texts: &[String]) -> Result<Vec<Vec<f32>>, GatewayError> {
        Ok(self
            .call::<Vectors>("embed", json!({ "texts": texts }))
            .await?
            .vectors)
    }

    /// Generates text.
    ///
    /// # Errors
    /// What the worker says.
    pub async fn generate(&mut self, request: &Generate) -> Result<Generated, GatewayError> {
        let body = serde_json::to_value(request).map_err(broken)?;
        self.call("generate", body).await
    }

    async fn call<T: DeserializeOwned>(&mut self, op: &str, mut body: Value) -> Result<T, GatewayError> {
        self.last_id += 1;
        body["id"] = json!(self.last_id);
        body["op"] = json!(op);
        let mut line = serde_json::to_vec(&body).map_err(broken)?;
        line.push(b'\n');
        self.requests.write_all(&line).await.map_err(broken)?;
        self.requests.flush().await.map_err(broken)?;
        let mut reply = String::new();
        if self.replies.read_line(&mut reply).await.map_err(broken)? == 0 {
            return Err(GatewayError::Worker {
                reason: "it ended without a reply".to_owned(),
            });
        }
        let mut reply: Value = serde_json::from_str(&reply).map_err(broken)?;
        if let Some(error) = reply.get_mut("error").filter(|error| !error.is_null()) {
            let Refusal { code, message, hint } = serde_json::from_value(error.take()).map_err(broken)?;
            return Err(GatewayError::Refused { code, message, hint });
        }
        if reply["id"] != json!(self.last_id) {
            return Err(GatewayError::Worker {
                reason: "it answered another request".to_owned(),
            });
        }
        serde_json::from_value(reply).map_err(broken)
    }
}

fn broken(error: impl std::fmt::Display) -> GatewayError {
    GatewayError::Worker {
        reason: error.to_string(),
    }
}
