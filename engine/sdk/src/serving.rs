//! What is said to the warm worker (`twinloom-torch serve`) and by it: JSON objects, a line each.
//!
//! A request is a [`Request`] with an `id` of the asker's own; every reply to it carries that `id`, and is either what the
//! request's variant says or `{"error": Refusal}`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A request, by its `op`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Vectors of texts: [`Embedded`].
    Embed(Embed),
    /// How well documents answer a question: [`Ranked`].
    Rerank(Rerank),
    /// A text: [`Generated`]; with `stream`, `{"delta": ..}` before it as it comes.
    Generate(Box<Generate>),
    /// Takes a generate request back: `{"cancelled": true}`, false where it is not open. The request itself fails with
    /// `model.cancelled`.
    Cancel {
        /// The `id` that it was sent with.
        request: Value,
    },
    /// What the language models do: `{"models": [{"model", "stats"}]}`.
    Stats,
}

/// What to embed, by which model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Embed {
    /// The texts.
    pub texts: Vec<String>,
    /// Folder of the embedder; that of the environment without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// Tokens of a text that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// What the texts are.
    #[serde(default, skip_serializing_if = "Role::is_text")]
    pub role: Role,
    /// The embedder that the vectors are to be compared with, by its identity: another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// What texts are: some embedders were trained with a prompt before questions and another before documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Neither: the embedder's default prompt, where it has one.
    #[default]
    Text,
    /// What is looked for.
    Query,
    /// What is looked through.
    Document,
}

impl Role {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_text(&self) -> bool {
        *self == Self::Text
    }
}

/// Vectors of unit length, in the order of the texts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Embedded {
    /// One a text.
    pub vectors: Vec<Vec<f32>>,
    /// Values of a vector.
    pub dimension: usize,
    /// Texts that were longer than the model reads.
    pub truncated: usize,
    /// What the embedder is recognised by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// What to order, by which model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rerank {
    /// The question.
    pub query: String,
    /// The documents' texts.
    pub documents: Vec<String>,
    /// Folder of the cross-encoder, or its name on the hub.
    pub model: String,
    /// Tokens of a pair that count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
}

/// Scores of documents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranked {
    /// Places in the request's `documents`, best first.
    pub order: Vec<usize>,
    /// A score for each document, in their order; more is better.
    pub scores: Vec<f32>,
    /// Pairs that were longer than the model reads.
    pub truncated: usize,
}

/// What to write, by which model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    /// Folder of the base checkpoint, or of a whole model; or its name on the hub.
    pub model: PathBuf,
    /// Folder of a LoRA adapter in PEFT's layout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    /// A text to continue; or else `messages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// A conversation, to be put through the model's chat template: objects with a `role`, and whatever fields the template
    /// knows (`content`, which may be null, `tool_calls`, ..).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Value>>,
    /// Tools that the template tells the model of, as JSON schemas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Documents that the template shows the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<Value>,
    /// The template's own switches, such as `enable_thinking`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub chat_template_kwargs: Map<String, Value>,
    /// Whether parts are wanted as they come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// How tokens are picked.
    #[serde(flatten)]
    pub sampling: Sampling,
}

/// How tokens are picked. Without settings: greedily, up to 256 tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// At most so many tokens.
    pub max_new_tokens: usize,
    /// 0 always picks the likeliest; more flattens the distribution.
    pub temperature: f64,
    /// Only the `top_k` likeliest tokens; 0 is off.
    pub top_k: usize,
    /// Only the smallest set of likeliest tokens with this much probability; 1 is off.
    pub top_p: f64,
    /// Only tokens with at least this share of the likeliest one's probability; 0 is off.
    pub min_p: f64,
    /// Tokens of the text so far become this much less likely; 1 is off.
    pub repetition_penalty: f64,
    /// Equal seeds give equal text, whatever else is written beside it.
    pub seed: u64,
    /// Texts that end the answer; they are left out of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Tokens that end the answer, beside the model's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_tokens: Vec<u32>,
    /// Goes on behind the model's own end of text: for measuring.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_end: bool,
    /// Tells the logarithm of each token's probability, and those of so many likeliest ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<usize>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            max_new_tokens: 256,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
            stop: Vec::new(),
            stop_tokens: Vec::new(),
            ignore_end: false,
            logprobs: None,
        }
    }
}

/// What was written, and why it ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// The text, without special tokens and without the stop text.
    pub text: String,
    /// Its tokens, with the end of text where it was reached.
    pub tokens: Vec<u32>,
    /// How many.
    pub new_tokens: usize,
    /// Tokens that were read before.
    pub prompt_tokens: usize,
    /// Tokens at the start of the prompt that did not fit the model's context and were left out.
    pub prompt_truncated: usize,
    /// Tokens of the prompt that had been read before for others.
    pub cached_tokens: usize,
    /// Why it ended.
    pub finish: Finish,
    /// How likely its tokens were, where that was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<Logprob>,
}

/// Why a text ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended it, or a stop text came.
    Stop,
    /// `max_new_tokens`, or the model's context, was used up.
    #[default]
    Length,
}

/// How likely a token was, by the model alone: before penalty and temperature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logprob {
    /// The token.
    pub token: u32,
    /// The logarithm of its probability.
    pub logprob: f32,
    /// The likeliest tokens, likeliest first.
    pub top: Vec<(u32, f32)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable and dotted.
    #[serde(default)]
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: String,
}
