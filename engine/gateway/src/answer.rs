//! A question to an answer: embed, search, prompt, generate, cite, record.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_sdk::{
    MADE_WITH,
    serving::{Embed, Generate, Generated, Role, Sampling},
};
use twinloom_store::{
    DatasetManifest, FeatureStore, Reference, VersionId,
    vectors::{self, EmbeddedIndex, Hit, VectorIndex},
};

use crate::{
    GatewayError, Trace, models, prompt,
    torch::{Part, TorchWorker},
};

/// Characters of prompt that the passages may take: the smallest base has a window of 512 tokens.
const WINDOW: usize = 1400;

/// What a gateway is started with.
#[derive(Clone)]
pub struct GatewayConfig {
    /// Folder of all state: vector collections, checked-out models, traces.
    pub home: PathBuf,
    /// The feature store.
    pub store: FeatureStore,
    /// The libtorch worker.
    pub torch: Option<PathBuf>,
}

/// A question.
#[derive(Debug, Clone)]
pub struct Question {
    /// In the asker's words.
    pub text: String,
    /// The model to answer.
    pub model: Reference,
    /// The dataset of embedded chunks to retrieve from.
    pub chunks: Reference,
    /// Its vector collection.
    pub collection: String,
    /// Passages to ground the answer in.
    pub passages: usize,
    /// What chooses them among the nearest ones; without it the nearest are taken.
    pub reranker: Option<Reranker>,
    /// How to pick tokens.
    pub sampling: Sampling,
    /// Switches of the model's chat template, such as `enable_thinking`.
    pub chat_template_kwargs: Map<String, Value>,
}

/// A cross-encoder, which reads question and passage together.
#[derive(Debug, Clone)]
pub struct Reranker {
    /// Its folder, or its name on the hub.
    pub model: String,
    /// Nearest passages that it reads.
    pub candidates: usize,
}

/// An answer with what it is grounded in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The model's words.
    pub text: String,
    /// The passages that it was given, best first.
    pub citations: Vec<Citation>,
    /// The model version that answered.
    pub model: VersionId,
    /// Tokens generated.
    pub new_tokens: u64,
    /// Milliseconds for retrieval.
    pub retrieval_ms: u64,
    /// Milliseconds for generation, loading the model included.
    pub generation_ms: u64,
}

/// A passage of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Citation {
    /// The number it is cited by, from 1.
    pub number: usize,
    /// The document's id.
    pub document: String,
    /// The chunk's id.
    pub chunk: String,
    /// The document's title.
    pub title: Option<String>,
    /// Where the document is.
    pub link: Option<String>,
    /// Cosine similarity to the question, or the reranker's score.
    pub score: f32,
    /// The passage, verbatim.
    pub quote: String,
}

/// Answers questions, any number at a time.
pub struct Gateway {
    config: GatewayConfig,
    torch: TorchWorker,
    /// Collections whose files were verified, open. Held while one is brought up to date, which can be done by one at a
    /// time.
    collections: tokio::sync::Mutex<HashMap<PathBuf, EmbeddedIndex>>,
}

impl Gateway {
    /// Starts the libtorch worker.
    ///
    /// # Errors
    /// [`GatewayError::NoWorker`], [`GatewayError::Spawn`].
    pub fn start(config: GatewayConfig) -> Result<Self, GatewayError> {
        let torch = TorchWorker::start(config.torch.as_deref().ok_or(GatewayError::NoWorker)?)?;
        Ok(Self {
            config,
            torch,
            collections: tokio::sync::Mutex::default(),
        })
    }

    /// Passages for a question, best first, from the collection brought to the dataset's version first.
    ///
    /// # Errors
    /// What the store, the collection or the worker says.
    pub async fn retrieve(&self, question: &Question) -> Result<Vec<Citation>, GatewayError> {
        let store = &self.config.store;
        let manifest = store.dataset(&question.chunks).await?;
        let dir = self.config.home.join("vectors").join(&question.collection);
        let index = self.collection(&dir, &manifest).await?;
        let asked = asking(&manifest, &question.text);
        let embedded = self.torch.embed(asked).await?;
        let query = embedded.vectors.first().ok_or_else(|| GatewayError::Worker {
            reason: "no vector came back".to_owned(),
        })?;
        let hits = match &question.reranker {
            None => index.search(query, question.passages, None).await?,
            Some(reranker) => {
                let searched = reranker.candidates.max(question.passages);
                let hits = index.search(query, searched, None).await?;
                self.reranked(reranker, &question.text, hits).await?
            }
        };
        Ok(hits
            .into_iter()
            .take(question.passages)
            .enumerate()
            .map(|(at, hit)| citation(at + 1, hit))
            .collect())
    }

    /// Answers a question and records the prompt.
    ///
    /// # Errors
    /// What the store, the collection or the worker says.
    pub async fn answer(&self, question: &Question) -> Result<Answer, GatewayError> {
        self.answer_in_parts(question, &mut |_| true).await
    }

    /// Answers a question and records the prompt; `part` is given the answer's parts as they come, and stops it by
    /// returning false.
    ///
    /// # Errors
    /// What the store, the collection or the worker says.
    pub async fn answer_in_parts(
        &self,
        question: &Question,
        part: &mut (dyn FnMut(&str) -> bool + Send),
    ) -> Result<Answer, GatewayError> {
        let at = Timestamp::now();
        let cache = self.config.home.join("cache").join("models");
        let model = models::locate(&self.config.store, &question.model, &cache).await?;
        let clock = Instant::now();
        let citations = self.retrieve(question).await?;
        let retrieval_ms = millis(clock);
        let messages = prompt::messages(&question.text, &citations, WINDOW);
        let clock = Instant::now();
        let request = Generate {
            model: model.base,
            adapter: model.adapter,
            messages: Some(messages.clone()),
            chat_template_kwargs: question.chat_template_kwargs.clone(),
            sampling: question.sampling.clone(),
            ..Generate::default()
        };
        let mut writing = self.torch.stream(request).await?;
        let mut generated = Generated::default();
        while let Some(next) = writing.next().await? {
            match next {
                Part::Done(whole) => generated = whole,
                Part::Text(text) => {
                    // A part is one token at least.
                    generated.new_tokens += 1;
                    generated.text.push_str(&text);
                    if !part(&text) {
                        break;
                    }
                }
            }
        }
        let answer = Answer {
            text: generated.text.trim().to_owned(),
            citations,
            model: model.id,
            new_tokens: generated.new_tokens as u64,
            retrieval_ms,
            generation_ms: millis(clock),
        };
        let trace = Trace {
            at,
            model: answer.model.clone(),
            question: question.text.clone(),
            messages,
            citations: answer.citations.clone(),
            answer: answer.text.clone(),
            new_tokens: answer.new_tokens,
            retrieval_ms,
            generation_ms: answer.generation_ms,
        };
        trace.append(&self.config.home)?;
        Ok(answer)
    }

    /// The collection at this version. Its files are hashed once, and again when they no longer reflect the version: at
    /// every question that would cost more than the search.
    async fn collection(
        &self,
        dir: &Path,
        manifest: &DatasetManifest,
    ) -> Result<EmbeddedIndex, GatewayError> {
        let mut collections = self.collections.lock().await;
        if let Some(index) = collections.remove(dir)
            && let Ok(state) = index.state().await
            && state.source == Some(manifest.id())
            && state.count == manifest.data.rows
        {
            collections.insert(dir.to_owned(), index.clone());
            return Ok(index);
        }
        vectors::sync(&self.config.store, dir, manifest).await?;
        let index = vectors::open_embedded(dir)?;
        collections.insert(dir.to_owned(), index.clone());
        Ok(index)
    }

    async fn reranked(
        &self,
        reranker: &Reranker,
        question: &str,
        hits: Vec<Hit>,
    ) -> Result<Vec<Hit>, GatewayError> {
        if hits.is_empty() {
            return Ok(hits);
        }
        let text = |hit: &Hit| hit.payload["text"].as_str().unwrap_or_default().to_owned();
        let texts: Vec<_> = hits.iter().map(text).collect();
        let order = self.torch.rerank(&reranker.model, question, &texts).await?;
        let scored = |(at, score): (usize, f32)| {
            Some(Hit {
                score,
                ..hits.get(at)?.clone()
            })
        };
        Ok(order.into_iter().filter_map(scored).collect())
    }
}

/// A question to these embedded chunks, to be embedded by what made them: their manifest says it.
fn asking(chunks: &DatasetManifest, question: &str) -> Embed {
    let figures = &chunks.data.metrics;
    let embedder = figures.get("embedder").cloned().unwrap_or_default();
    Embed {
        texts: vec![question.to_owned()],
        model: embedder["model"].as_str().map(PathBuf::from),
        max_length: embedder["max_length"]
            .as_u64()
            .and_then(|length| usize::try_from(length).ok()),
        role: Role::Query,
        identity: figures.get(MADE_WITH).and_then(Value::as_str).map(str::to_owned),
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn citation(number: usize, hit: Hit) -> Citation {
    let text = |key: &str| hit.payload[key].as_str().map(str::to_owned);
    Citation {
        number,
        title: text("title"),
        link: text("link"),
        quote: text("text").unwrap_or_default(),
        score: hit.score,
        document: hit.entity,
        chunk: hit.id,
    }
}
