//! A decoder with its tokenizer, ready to write.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Finish, Generated, Sampler, Sampling, check, engine::check_prompt, logprob};
use crate::{
    ModelError,
    checkpoint::{Checkpoint, kind_of_config, read_json},
    nn::{Adapter, Decoder, KvCache, Step},
    tokenizer::{Message, TextTokenizer},
};

/// A stop text is looked for in the last so many tokens.
const TAIL: usize = 64;

/// A loaded model. It is [`Send`] but not [`Sync`]: one thread at a time.
pub struct TextModel {
    decoder: Decoder,
    tokenizer: TextTokenizer,
    ends: BTreeSet<u32>,
    adapter: Option<PathBuf>,
}

impl TextModel {
    /// Loads a checkpoint with its tokenizer; without a `kind`, in the type that its config.json names.
    ///
    /// # Errors
    /// What is missing or wrong in the folder, naming the file or tensor.
    pub fn load(dir: &Path, device: Device, kind: Option<Kind>) -> Result<Self, ModelError> {
        let checkpoint = Checkpoint::open(dir)?;
        let kind = kind
            .or_else(|| kind_of_config(checkpoint.config_json()))
            .unwrap_or(Kind::Float);
        let decoder = Decoder::load(&checkpoint, device, kind)?;
        let tokenizer = TextTokenizer::load(dir)?;
        let ends = ends(checkpoint.config_json(), dir, &tokenizer)?;
        Ok(Self {
            decoder,
            tokenizer,
            ends,
            adapter: None,
        })
    }

    /// The decoder.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Tokens that it knows.
    #[must_use]
    pub fn vocabulary(&self) -> i64 {
        self.decoder.architecture().vocabulary
    }

    /// The tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &TextTokenizer {
        &self.tokenizer
    }

    /// Puts the adapter of a folder on, or takes it off; nothing happens where it is on already.
    ///
    /// # Errors
    /// What is wrong with the adapter; the model then has none.
    pub fn use_adapter(&mut self, dir: Option<&Path>) -> Result<(), ModelError> {
        if self.adapter.as_deref() == dir {
            return Ok(());
        }
        self.decoder.detach();
        self.adapter = None;
        if let Some(dir) = dir {
            self.decoder.attach(&Adapter::load(dir, self.decoder.device())?)?;
            self.adapter = Some(dir.to_owned());
        }
        Ok(())
    }

    /// Continues a text, behind the start-of-text token where the model has one.
    ///
    /// # Errors
    /// `model.input`, or what libtorch says.
    pub fn complete(&self, prompt: &str, sampling: &Sampling) -> Result<Generated, ModelError> {
        let mut ids: Vec<u32> = self.tokenizer.bos().into_iter().collect();
        ids.extend(self.tokenizer.encode(prompt)?);
        self.generate(&ids, sampling)
    }

    /// Writes the next turn of a conversation.
    ///
    /// # Errors
    /// `model.input`, or what libtorch says.
    pub fn chat(&self, messages: &[Message], sampling: &Sampling) -> Result<Generated, ModelError> {
        self.generate(
            &self
                .tokenizer
                .encode_marked(&self.tokenizer.render(messages, true)?)?,
            sampling,
        )
    }

    /// Continues tokens. A prompt that is longer than the model's context loses its start (less the first token).
    ///
    /// # Errors
    /// `model.input`, or what libtorch says.
    pub fn generate(&self, prompt: &[u32], sampling: &Sampling) -> Result<Generated, ModelError> {
        check(sampling)?;
        check_prompt(prompt, usize::try_from(self.vocabulary()).unwrap_or_default())?;
        let context = usize::try_from(self.decoder.architecture().max_positions).unwrap_or(usize::MAX);
        let (prompt, prompt_truncated) = fit(prompt, context, sampling.max_new_tokens);
        let most = sampling
            .max_new_tokens
            .min(context.saturating_sub(prompt.len()).max(1));

        let _guard = tch::no_grad_guard();
        let mut cache = KvCache::new((prompt.len() + most.min(512)) as i64);
        let mut sampler = Sampler::new(sampling, &prompt);
        let (mut tokens, mut finish): (Vec<u32>, Finish) = (Vec::new(), Finish::Length);
        let mut logprobs = Vec::new();
        let mut logits = self.read(&prompt, &mut cache)?;
        while tokens.len() < most {
            let raw = sampling.logprobs.map(|_| logits.clone());
            let token = sampler.pick(&mut logits);
            tokens.push(token);
            if let (Some(raw), Some(top)) = (raw, sampling.logprobs) {
                logprobs.push(logprob(&raw, token, top));
            }
            let end =
                !sampling.ignore_end && self.ends.contains(&token) || sampling.stop_tokens.contains(&token);
            if end || self.stopped(&tokens, sampling)? {
                finish = Finish::Stop;
                break;
            }
            if tokens.len() < most {
                logits = self.read(&[token], &mut cache)?;
            }
        }
        let text = self.text(&tokens, sampling)?;
        let (new_tokens, prompt_tokens) = (tokens.len(), prompt.len());
        Ok(Generated {
            text,
            tokens,
            new_tokens,
            prompt_tokens,
            prompt_truncated,
            cached_tokens: 0,
            finish,
            logprobs,
        })
    }

    /// Reads tokens and gives the logits after the last.
    fn read(&self, ids: &[u32], cache: &mut KvCache) -> Result<Vec<f32>, ModelError> {
        let ids: Vec<i64> = ids.iter().map(|&id| i64::from(id)).collect();
        let ids = Tensor::f_from_slice(&ids)?
            .f_unsqueeze(0)?
            .f_to_device(self.decoder.device())?;
        let hidden = self.decoder.hidden(
            &ids,
            Step {
                cache: Some(cache),
                ..Step::default()
            },
        )?;
        // Only the last position's logits are wanted: over the whole prompt they would be the largest tensor of all.
        let logits = self.decoder.logits(&hidden.f_select(1, -1)?)?;
        let logits = logits
            .f_view([-1])?
            .f_to_kind(Kind::Float)?
            .f_to_device(Device::Cpu)?;
        let mut values = vec![0_f32; logits.numel()];
        let count = values.len();
        logits.f_copy_data(&mut values, count)?;
        Ok(values)
    }

    fn stopped(&self, tokens: &[u32], sampling: &Sampling) -> Result<bool, ModelError> {
        if sampling.stop.is_empty() {
            return Ok(false);
        }
        let tail = self
            .tokenizer
            .decode(tokens.get(tokens.len().saturating_sub(TAIL)..).unwrap_or(tokens))?;
        Ok(sampling.stop.iter().any(|stop| tail.contains(stop.as_str())))
    }

    fn text(&self, tokens: &[u32], sampling: &Sampling) -> Result<String, ModelError> {
        let mut text = self.tokenizer.decode(tokens)?;
        if let Some(end) = sampling
            .stop
            .iter()
            .filter_map(|stop| text.find(stop.as_str()))
            .min()
        {
            text.truncate(end);
        }
        Ok(text)
    }
}

/// The tokens that end a text: of generation_config.json and config.json, and the tokenizer's.
///
/// # Errors
/// `model.damaged` for a generation_config.json that cannot be read.
pub fn ends(config: &Value, dir: &Path, tokenizer: &TextTokenizer) -> Result<BTreeSet<u32>, ModelError> {
    let mut ends: BTreeSet<u32> = tokenizer.eos().into_iter().collect();
    let path = dir.join("generation_config.json");
    let generation = if path.is_file() {
        read_json(&path, dir)?
    } else {
        Value::Null
    };
    for value in [config.get("eos_token_id"), generation.get("eos_token_id")]
        .into_iter()
        .flatten()
    {
        let listed = value
            .as_array()
            .into_iter()
            .flatten()
            .chain(std::iter::once(value));
        ends.extend(listed.filter_map(|id| u32::try_from(id.as_u64()?).ok()));
    }
    Ok(ends)
}

/// The prompt's end that fits a context beside the wanted tokens (or half of it), with the first token kept;
/// and how many tokens were left out.
#[must_use]
pub fn fit(prompt: &[u32], context: usize, wanted: usize) -> (Vec<u32>, usize) {
    let room = context.saturating_sub(wanted.min(context / 2)).max(1);
    let Some(excess) = prompt.len().checked_sub(room).filter(|excess| *excess > 0) else {
        return (prompt.to_vec(), 0);
    };
    let mut kept: Vec<u32> = prompt.first().copied().into_iter().collect();
    kept.extend(prompt.iter().skip(excess + 1));
    kept.truncate(room);
    (kept, excess)
}
