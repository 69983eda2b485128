//! The models that are loaded, by folder.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value, json};
use tch::{Device, Kind};
use twinloom_operators::embed::{EMBEDDER, identity};
use twinloom_sdk::serving::{Embedded, Ranked};

use super::{Embed, Rerank, request::check_turns};
use crate::{
    ModelError,
    checkpoint::{Checkpoint, kind_of_config},
    embed::{Embedder, EmbedderOptions, embedder_dir, model_dir},
    generate::{Engine, EngineOptions, Libtorch, Native, NativeOptions, Request, Runner, ends, unsuited},
    nn::{Decoder, weight::Bits},
    one::One,
    rerank::{Reranker, RerankerOptions},
    tokenizer::{Rendering, TextTokenizer},
    weights::Weights,
};

/// Texts in one embed request.
const MOST_TEXTS: usize = 100_000;

/// What runs language models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Backend {
    /// The CPU kernels where they can; libtorch on a GPU and for the rest.
    #[default]
    Auto,
    /// The CPU kernels.
    Kernels,
    /// libtorch.
    Libtorch,
}

/// How the service runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServeOptions {
    /// Where libtorch runs models.
    pub device: Device,
    /// How language models' weights are held.
    pub weights: Weights,
    /// How encoders' are.
    pub encoder_weights: Weights,
    /// What runs them.
    pub backend: Backend,
    /// Bytes for a model's keys and values.
    pub cache_bytes: usize,
    /// Language models that stay loaded; the one that was not used for longest goes first.
    pub models: usize,
    /// What bounds each.
    pub engine: EngineOptions,
}

impl ServeOptions {
    /// On a device, the rest as it suits most.
    #[must_use]
    pub fn new(device: Device) -> Self {
        Self {
            device,
            weights: Weights::default(),
            encoder_weights: Weights::default(),
            backend: Backend::default(),
            cache_bytes: 1 << 30,
            models: 2,
            engine: EngineOptions::default(),
        }
    }
}

/// A checkpoint whose small files were read: what most mistakes show in, before any weight is.
struct Found {
    checkpoint: Checkpoint,
    tokenizer: Arc<TextTokenizer>,
    ends: BTreeSet<u32>,
}

impl Found {
    fn open(named: &Path) -> Result<Self, ModelError> {
        // A name on the hub stands for a folder of its cache.
        let dir = &model_dir(&named.to_string_lossy())?;
        let tokenizer = Arc::new(TextTokenizer::load(dir)?);
        let checkpoint = Checkpoint::open(dir)?;
        let ends = ends(checkpoint.config_json(), dir, &tokenizer)?;
        Ok(Self {
            checkpoint,
            tokenizer,
            ends,
        })
    }
}

/// A loaded language model.
pub struct Served {
    pub engine: Engine,
    tokenizer: Arc<TextTokenizer>,
    dir: PathBuf,
}

impl Served {
    /// Loads a checkpoint onto what suits it.
    fn load(named: &Path, found: Found, options: &ServeOptions) -> Result<Self, ModelError> {
        let engine = Engine::start(
            runner(&found.checkpoint, options)?,
            Arc::clone(&found.tokenizer),
            found.ends,
            options.engine,
        )?;
        Ok(Self {
            engine,
            tokenizer: found.tokenizer,
            dir: named.to_owned(),
        })
    }

    /// A request's tokens and settings.
    pub fn request(&self, asked: super::Generate) -> Result<Request, ModelError> {
        let prompt = match (asked.prompt, asked.messages) {
            (Some(prompt), None) => {
                let mut ids: Vec<u32> = self.tokenizer.bos().into_iter().collect();
                ids.extend(self.tokenizer.encode(&prompt)?);
                ids
            }
            (None, Some(turns)) => {
                check_turns(&turns)?;
                let rendering = Rendering {
                    open: true,
                    tools: asked.tools,
                    documents: asked.documents,
                    variables: asked.chat_template_kwargs,
                    now: None,
                };
                let text = self.tokenizer.render_turns(&turns, &rendering)?.text;
                self.tokenizer.encode_marked(&text)?
            }
            _ => {
                let why = "a generate request has either `prompt` or `messages`";
                return Err(ModelError::input(why, "Send one of the two."));
            }
        };
        Ok(Request {
            prompt,
            sampling: asked.sampling,
            adapter: asked.adapter,
            stream: asked.stream,
        })
    }

    fn stats(&self) -> Result<Value, ModelError> {
        Ok(json!({"model": self.dir, "stats": self.engine.stats()?}))
    }
}

/// What runs a checkpoint's decoder.
pub fn runner(checkpoint: &Checkpoint, options: &ServeOptions) -> Result<Box<dyn Runner>, ModelError> {
    let named = kind_of_config(checkpoint.config_json()).unwrap_or(Kind::Float);
    // Packed from the type of the file, which is mapped: no other copy is made.
    let on_cpu = options.device == Device::Cpu;
    if on_cpu && options.backend != Backend::Libtorch {
        let decoder = Decoder::load(checkpoint, Device::Cpu, named)?;
        if options.backend == Backend::Kernels || unsuited(decoder.architecture()).is_none() {
            let native = NativeOptions {
                cache_bytes: options.cache_bytes,
                ..NativeOptions::new(options.weights.format(named))
            };
            return Ok(Box::new(Native::new(&decoder, native)?));
        }
    }
    let kind = options.weights.kind(named);
    if options.weights == Weights::Int8 {
        tracing::warn!(
            model = %checkpoint.dir().display(),
            "libtorch has no 8-bit weights here: they are held as bf16"
        );
    }
    let decoder = match options.weights {
        // Unpacked for each product: it saves memory, not time.
        Weights::Int4 => Decoder::load_packed(checkpoint, options.device, kind, Bits::Int4, false)?,
        _ => Decoder::load(checkpoint, options.device, kind)?,
    };
    let a = decoder.architecture();
    let position = 2 * a.layers * a.kv_heads * a.head_dim * kind.elt_size_in_bytes() as i64;
    let positions = options.cache_bytes / usize::try_from(position).unwrap_or(1).max(1);
    Ok(Box::new(Libtorch::new(decoder, positions)))
}

/// Loaded language models; the last used comes last.
pub struct Texts {
    options: ServeOptions,
    held: Vec<Served>,
}

impl Texts {
    pub fn new(options: ServeOptions) -> Self {
        Self {
            options,
            held: Vec::new(),
        }
    }

    /// The language model of a folder. One that has to go finishes its requests first, and is gone before the new one's
    /// weights are read: there need not be memory for both.
    ///
    /// # Errors
    /// What is missing or wrong in the folder.
    pub fn get(&mut self, dir: &Path) -> Result<&Served, ModelError> {
        let held = match self.held.iter().position(|held| held.dir == dir) {
            Some(at) => self.held.remove(at),
            None => {
                let found = Found::open(dir)?;
                while self.held.len() >= self.options.models.max(1) {
                    self.held.remove(0);
                }
                Served::load(dir, found, &self.options)?
            }
        };
        self.held.push(held);
        self.held
            .last()
            .ok_or_else(|| ModelError::input("no model is loaded", "Send the request again."))
    }

    /// One that is loaded.
    pub fn loaded(&self, dir: &Path) -> Option<&Served> {
        self.held.iter().find(|held| held.dir == dir)
    }

    /// Of all that are loaded.
    pub fn stats(&self) -> Result<Value, ModelError> {
        let models = self
            .held
            .iter()
            .map(Served::stats)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(json!({ "models": models }))
    }
}

/// The embedder that is asked for, and its identity. Where another one is wanted than stands in the named folder, the
/// default one may be it: the folder was of another machine.
fn embedder(asked: &Embed) -> Result<(PathBuf, Option<String>), ModelError> {
    let named = asked.model.as_ref().map(|dir| dir.to_string_lossy().into_owned());
    let found = embedder_dir(named.as_deref());
    let Some(wanted) = &asked.identity else {
        let dir = found?;
        let own = identity(&dir);
        return Ok((dir, own));
    };
    let default = named.is_some().then(|| embedder_dir(None)).into_iter().flatten();
    let fits = |dir: &PathBuf| identity(dir).as_ref() == Some(wanted);
    if let Some(dir) = found.iter().cloned().chain(default).find(fits) {
        return Ok((dir, Some(wanted.clone())));
    }
    found?;
    Err(ModelError::input(
        "the vectors to compare with are of another embedder than the one that is here",
        format!(
            "Put the embedder back that they were made with (`model` of `embed`, or {EMBEDDER}), or run the DAG again, so that all are made with this one."
        ),
    ))
}

/// Loaded encoders.
pub struct Encoders {
    device: Device,
    weights: Weights,
    /// By folder, identity and length of a text.
    embedder: One<(PathBuf, Option<String>, Option<usize>), Embedder>,
    /// By folder and length of a pair.
    reranker: One<(PathBuf, Option<usize>), Reranker>,
}

impl Encoders {
    pub fn new(device: Device, weights: Weights) -> Self {
        Self {
            device,
            weights,
            embedder: One::default(),
            reranker: One::default(),
        }
    }

    /// Embeds.
    ///
    /// # Errors
    /// What is wrong with the request or the model.
    pub fn embed(&mut self, asked: &Embed) -> Result<Value, ModelError> {
        if asked.texts.len() > MOST_TEXTS {
            return Err(ModelError::input(
                format!("{} texts were sent at once", asked.texts.len()),
                format!("Send at most {MOST_TEXTS} texts at a time."),
            ));
        }
        // Before anything is let go: a request that is refused leaves what is loaded.
        let (dir, identity) = embedder(asked)?;
        let key = (dir, identity, asked.max_length);
        let options = EmbedderOptions {
            device: self.device,
            weights: self.weights,
            max_length: asked.max_length,
            ..EmbedderOptions::default()
        };
        let held = self
            .embedder
            .turn_to(&key, |(dir, ..)| Embedder::open(dir, options))?;
        let texts: Vec<&str> = asked.texts.iter().map(String::as_str).collect();
        let found = held.embed_as(&texts, asked.role)?;
        let vectors = found.vectors.chunks_exact(found.dimension.max(1));
        as_json(&Embedded {
            vectors: vectors.map(<[f32]>::to_vec).collect(),
            dimension: found.dimension,
            truncated: found.truncated,
            identity: key.1,
        })
    }

    /// Scores documents for a question.
    ///
    /// # Errors
    /// What is wrong with the request or the model.
    pub fn rerank(&mut self, asked: &Rerank) -> Result<Value, ModelError> {
        if asked.documents.len() > MOST_TEXTS {
            return Err(ModelError::input(
                format!("{} documents were sent at once", asked.documents.len()),
                format!("Send at most {MOST_TEXTS} documents at a time."),
            ));
        }
        let key = (model_dir(&asked.model)?, asked.max_length);
        let options = RerankerOptions {
            device: self.device,
            weights: self.weights,
            max_length: asked.max_length,
            ..RerankerOptions::default()
        };
        let held = self
            .reranker
            .turn_to(&key, |(dir, _)| Reranker::open(dir, options))?;
        let documents: Vec<&str> = asked.documents.iter().map(String::as_str).collect();
        let found = held.score(&asked.query, &documents)?;
        as_json(&Ranked {
            order: found.order(),
            scores: found.scores,
            truncated: found.truncated,
        })
    }
}

/// A reply's fields.
///
/// # Errors
/// None that a reply of ours could have.
pub fn as_json(reply: &impl Serialize) -> Result<Value, ModelError> {
    serde_json::to_value(reply)
        .map_err(|error| ModelError::input(error.to_string(), "Report this with the request."))
}
