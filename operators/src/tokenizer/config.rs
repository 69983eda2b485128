//! What `with:` of `tokenizer` holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::OperatorError;

use crate::split::EVAL_SHARE;

/// Configuration of `tokenizer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Entries of the vocabulary, special tokens included; 512 to 262144. Few texts give fewer.
    #[schemars(range(min = 512, max = 262_144))]
    pub vocab_size: usize,
    /// A pair of tokens is merged if it occurs this often.
    pub min_frequency: u64,
    /// Longest token in characters; keeps rulers and other long repeats out of the vocabulary.
    #[schemars(range(min = 2, max = 256))]
    pub max_token_length: usize,
    /// Share of documents held out; give it the value that `instruct` has.
    #[schemars(range(min = 0.0, max = 0.9))]
    pub eval_share: f64,
    /// Text read, in MiB; a vocabulary does not get better beyond some hundred.
    #[schemars(range(min = 1, max = 4096))]
    pub max_megabytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            vocab_size: 4096,
            min_frequency: 2,
            max_token_length: 24,
            eval_share: EVAL_SHARE,
            max_megabytes: 256,
        }
    }
}

impl Config {
    /// Checks the bounds that the schema states.
    ///
    /// # Errors
    /// `tokenizer.config`, naming the key.
    pub fn check(&self) -> Result<(), OperatorError> {
        let wrong = |key: &str, bounds: &str| {
            let hint = format!("Set `{key}` to {bounds}.");
            Err(OperatorError::config(
                "tokenizer.config",
                format!("`{key}` is out of its bounds"),
                hint,
            ))
        };
        match self {
            _ if !(512..=262_144).contains(&self.vocab_size) => wrong("vocab_size", "512 to 262144"),
            _ if !(2..=256).contains(&self.max_token_length) => wrong("max_token_length", "2 to 256"),
            _ if !(0.0..=0.9).contains(&self.eval_share) => wrong("eval_share", "0 to 0.9"),
            _ if !(1..=4096).contains(&self.max_megabytes) => wrong("max_megabytes", "1 to 4096"),
            _ => Ok(()),
        }
    }
}

/// A token that stands for no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialToken {
    /// How it is written in the chat template.
    pub text: &'static str,
    /// Its id, the same in every tokenizer that this operator trains.
    pub id: u32,
}

/// Padding, start of text, end of text, the asker's turn, the author's turn.
pub const SPECIAL_TOKENS: [SpecialToken; 5] = [
    SpecialToken {
        text: "<|pad|>",
        id: 0,
    },
    SpecialToken {
        text: "<|bos|>",
        id: 1,
    },
    SpecialToken {
        text: "<|eos|>",
        id: 2,
    },
    SpecialToken {
        text: "<|user|>",
        id: 3,
    },
    SpecialToken {
        text: "<|assistant|>",
        id: 4,
    },
];
