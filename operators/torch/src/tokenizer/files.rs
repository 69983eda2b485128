//! The files of a tokenizer, as Hugging Face libraries read them.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tokenizers::Tokenizer;
use twinloom_operators::tokenizer::SPECIAL_TOKENS;
use twinloom_sdk::OperatorError;

use crate::ModelError;

/// Names of the files that belong to a tokenizer, where a checkpoint has them.
pub const TOKENIZER_FILES: [&str; 4] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// The conversation format of tokenizers that Twinloom trains: a turn is its role's token and its text; the author's
/// turn ends with the end of text.
pub const CHAT_TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}\
<|assistant|>{{ message['content'] }}{{ eos_token }}{% else %}<|user|>{{ message['content'] }}{% endif %}{% endfor %}\
{% if add_generation_prompt %}<|assistant|>{% endif %}";

/// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`.
///
/// # Errors
/// `model.unreadable` when a file cannot be written.
pub fn write_files(tokenizer: &Tokenizer, dir: &Path, context: usize) -> Result<(), OperatorError> {
    let text = tokenizer
        .to_string(true)
        .map_err(|error| OperatorError::bug("tokenizer.failed", error))?;
    write(dir, "tokenizer.json", &text)?;
    let [pad, bos, eos, user, assistant] = SPECIAL_TOKENS;
    let added = |text: &str| json!({"content": text, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true});
    let decoder: serde_json::Map<String, Value> = SPECIAL_TOKENS
        .iter()
        .map(|token| (token.id.to_string(), added(token.text)))
        .collect();
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": decoder,
        "additional_special_tokens": [user.text, assistant.text],
        "bos_token": bos.text,
        "eos_token": eos.text,
        "pad_token": pad.text,
        "unk_token": null,
        "clean_up_tokenization_spaces": false,
        "model_max_length": context,
        "chat_template": CHAT_TEMPLATE,
    });
    write(dir, "tokenizer_config.json", &format!("{config:#}\n"))?;
    let map = json!({
        "additional_special_tokens": [user.text, assistant.text],
        "bos_token": bos.text,
        "eos_token": eos.text,
        "pad_token": pad.text,
    });
    write(dir, "special_tokens_map.json", &format!("{map:#}\n"))
}

fn write(dir: &Path, name: &str, text: &str) -> Result<(), OperatorError> {
    let path = dir.join(name);
    fs::write(&path, text).map_err(|source| ModelError::Io { path, source }.into())
}
