//! Chat templates: a conversation as the text that a model was trained to continue.

use std::{fs, path::Path};

use minijinja::{
    Environment, Error, ErrorKind, context,
    syntax::SyntaxConfig,
    value::{Serde, Value as Jinja},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ModelError, checkpoint::read_json};

/// A template may take this many steps; a hostile one ends.
const FUEL: u64 = 1_000_000;

/// A turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// Its text.
    pub content: String,
}

impl Message {
    /// A turn of the one who asks.
    pub fn user(content: impl Into<String>) -> Self {
        Self {
            role: "user".to_owned(),
            content: content.into(),
        }
    }

    /// A turn of the model.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self {
            role: "assistant".to_owned(),
            content: content.into(),
        }
    }
}

/// A checkpoint's chat template, with the texts of its special tokens.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    source: String,
    bos: String,
    eos: String,
    special: Vec<String>,
}

impl ChatTemplate {
    /// Reads `tokenizer_config.json`, and `chat_template.jinja` where there is one. A base model without a template
    /// gets a plain one: the instruction, an empty line, the answer.
    ///
    /// # Errors
    /// `model.file_missing` or `model.damaged` for tokenizer_config.json.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let config = read_json(&dir.join("tokenizer_config.json"), dir)?;
        let (bos, eos) = (special(&config, "bos_token"), special(&config, "eos_token"));
        let own = fs::read_to_string(dir.join("chat_template.jinja")).ok();
        let source = own
            .or_else(|| template(&config))
            .unwrap_or_else(|| PLAIN.to_owned());
        let added = config.get("added_tokens_decoder").and_then(Value::as_object);
        let texts = added
            .into_iter()
            .flat_map(|tokens| tokens.values())
            .filter_map(|token| token.get("content")?.as_str());
        let special = texts
            .filter(|text| text.chars().count() > 1)
            .map(str::to_owned)
            .collect();
        Ok(Self {
            source,
            bos,
            eos,
            special,
        })
    }

    /// The conversation as text; with `open`, the start of the model's next turn follows.
    ///
    /// # Errors
    /// `model.input` when the template refuses the conversation or is broken.
    pub fn render(&self, messages: &[Message], open: bool) -> Result<String, ModelError> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()
                .map_err(broken)?,
        );
        environment.add_function("raise_exception", |text: String| -> Result<Jinja, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, text))
        });
        let messages: Vec<Message> = messages
            .iter()
            .map(|message| Message {
                role: message.role.clone(),
                content: self.plain(&message.content),
            })
            .collect();
        let messages = Jinja::from(Serde(messages));
        let scope = context! {
            messages, bos_token => self.bos.as_str(), eos_token => self.eos.as_str(), add_generation_prompt => open,
        };
        environment.render_str(&self.source, scope).map_err(broken)
    }

    /// A text that holds a special token's name must not become that token: it would end or change a turn.
    fn plain(&self, text: &str) -> String {
        self.special.iter().fold(text.to_owned(), |text, special| {
            if !text.contains(special.as_str()) {
                return text;
            }
            let first = special.chars().next().map_or(0, char::len_utf8);
            let (head, tail) = special.split_at(first);
            text.replace(special.as_str(), &format!("{head} {tail}"))
        })
    }
}

fn broken(error: Error) -> ModelError {
    ModelError::input(
        format!("the model's chat template cannot render the conversation: {error}"),
        "Look at `chat_template` in the model's tokenizer_config.json.",
    )
}

const PLAIN: &str = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}\
{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n\\n' }}{% endif %}{% endfor %}";

/// The template is a text, or a list of named ones.
fn template(config: &Value) -> Option<String> {
    match config.get("chat_template")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(named) => {
            let default = named
                .iter()
                .find(|one| one.get("name").and_then(Value::as_str) == Some("default"))?;
            Some(default.get("template")?.as_str()?.to_owned())
        }
        _ => None,
    }
}

/// A special token is a text, or an object that holds it.
fn special(config: &Value, name: &str) -> String {
    let token = config.get(name);
    let text = token.and_then(|token| token.as_str().or_else(|| token.get("content")?.as_str()));
    text.unwrap_or_default().to_owned()
}
