//! Chat templates: a conversation as the text that a model was trained to continue.

mod environment;
mod json;
mod marks;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fs, ops::Range, path::Path};

use jiff::{Timestamp, Zoned, tz::TimeZone};
use minijinja::value::{Serde, Value as Jinja};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{ModelError, checkpoint::read_json};

/// Texts of tokens that templates ask for by these names.
const TOKENS: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// The template that counts where no other does.
const DEFAULT: &str = "default";
/// The one for conversations with tools, where a model has both.
const WITH_TOOLS: &str = "tool_use";
const FILE: &str = "chat_template.jinja";
const PLAIN: &str = "{{ bos_token }}{% for message in messages %}{{ message['content'] or '' }}\
{% if message['role'] == 'assistant' %}{{ eos_token }}{% else %}{{ '\\n\\n' }}{% endif %}{% endfor %}";

/// What a template's clock shows in rows to learn from: 1 January 2025, 00:00 UTC. Not the time of the run: the same data
/// and configuration give the same model.
pub const TRAINED_AT: Timestamp = Timestamp::constant(1_735_689_600, 0);

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

/// What a conversation is rendered with, beside its turns.
#[derive(Debug, Clone, Default)]
pub struct Rendering {
    /// Whether the start of the model's next turn follows.
    pub open: bool,
    /// Tools that the model may call, as JSON schemas.
    pub tools: Vec<Value>,
    /// Documents that it may look at.
    pub documents: Vec<Value>,
    /// The template's own switches, such as `enable_thinking`.
    pub variables: Map<String, Value>,
    /// What the template's clock shows; the machine's where left out.
    pub now: Option<Zoned>,
}

/// A rendered conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Bytes of the text that the model writes, where the template marks them with `{% generation %}`.
    pub answers: Vec<Range<usize>>,
}

/// A checkpoint's chat template, with the texts of its special tokens.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    /// By name.
    sources: BTreeMap<String, String>,
    tokens: Vec<(&'static str, String)>,
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
        let mut sources = templates(&config);
        if let Ok(own) = fs::read_to_string(dir.join(FILE)) {
            sources.insert(DEFAULT.to_owned(), own);
        }
        Ok(Self {
            sources,
            tokens: TOKENS
                .iter()
                .filter_map(|name| Some((*name, token(&config, name)?)))
                .collect(),
            special: longest_first(special(&config)),
        })
    }

    /// Adds texts of special tokens that the tokenizer itself lists: transformers 5 writes them into tokenizer.json alone.
    pub fn add_special(&mut self, texts: impl IntoIterator<Item = String>) {
        let own = std::mem::take(&mut self.special);
        self.special = longest_first(own.into_iter().chain(texts));
    }

    /// The conversation as text; with `open`, the start of the model's next turn follows.
    ///
    /// # Errors
    /// `model.input` when the template refuses the conversation or is broken.
    pub fn render(&self, messages: &[Message], open: bool) -> Result<String, ModelError> {
        let rendering = Rendering {
            open,
            ..Rendering::default()
        };
        self.render_messages(messages, &rendering)
    }

    /// The same as a row to learn from: wherever and whenever, the template's clock shows [`TRAINED_AT`].
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_row(&self, messages: &[Message], open: bool) -> Result<String, ModelError> {
        let rendering = Rendering {
            open,
            now: Some(TRAINED_AT.to_zoned(TimeZone::UTC)),
            ..Rendering::default()
        };
        self.render_messages(messages, &rendering)
    }

    fn render_messages(&self, messages: &[Message], with: &Rendering) -> Result<String, ModelError> {
        let turn = |message: &Message| {
            let fields = [("role", &message.role), ("content", &message.content)];
            Value::Object(
                fields
                    .map(|(name, text)| (name.to_owned(), text.clone().into()))
                    .into_iter()
                    .collect(),
            )
        };
        let turns: Vec<Value> = messages.iter().map(turn).collect();
        Ok(self.render_turns(&turns, with)?.text)
    }

    /// The same for turns of any fields, such as tool calls, and with what else a template may ask for.
    ///
    /// # Errors
    /// `model.input` when the template refuses the conversation or is broken.
    pub fn render_turns(&self, turns: &[Value], with: &Rendering) -> Result<Rendered, ModelError> {
        let plain = |values: &[Value]| values.iter().map(|value| self.plain(value)).collect::<Vec<_>>();
        // What is not given is there and none: templates ask `tools is not none`.
        let listed = |values: &[Value]| match values {
            [] => Jinja::from(()),
            values => Jinja::from(Serde(plain(values))),
        };
        let mut scope: BTreeMap<String, Jinja> = with
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), Jinja::from(Serde(self.plain(value)))))
            .collect();
        let tokens = self.tokens.iter();
        scope.extend(tokens.map(|(name, text)| ((*name).to_owned(), Jinja::from(text.as_str()))));
        scope.insert("messages".to_owned(), Jinja::from(Serde(plain(turns))));
        scope.insert("tools".to_owned(), listed(&with.tools));
        scope.insert("documents".to_owned(), listed(&with.documents));
        scope.insert("add_generation_prompt".to_owned(), Jinja::from(with.open));
        let source = marks::prepare(self.source(!with.tools.is_empty()));
        let text = environment::render(&source, scope, with.now.clone()).map_err(|error| {
            ModelError::input(
                format!("the model's chat template cannot render the conversation: {error}"),
                "Look at `chat_template` in the model's tokenizer_config.json.",
            )
        })?;
        Ok(marks::take(&text))
    }

    fn source(&self, tools: bool) -> &str {
        let named = |name: &str| self.sources.get(name).map(String::as_str);
        let with_tools = tools.then(|| named(WITH_TOOLS)).flatten();
        with_tools.or_else(|| named(DEFAULT)).unwrap_or(PLAIN)
    }

    /// A text that holds a special token's name must not become that token: it would end or change a turn. Nor may it
    /// hold the marks of answers.
    fn plain(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.plain_text(text)),
            Value::Array(values) => values.iter().map(|value| self.plain(value)).collect(),
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), self.plain(value)));
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }

    fn plain_text(&self, text: &str) -> String {
        self.special.iter().fold(marks::without(text), |text, special| {
            if !text.contains(special.as_str()) {
                return text;
            }
            let first = special.chars().next().map_or(0, char::len_utf8);
            let (head, tail) = special.split_at(first);
            text.replace(special.as_str(), &format!("{head} {tail}"))
        })
    }
}

/// The template is a text, or a list of named ones.
fn templates(config: &Value) -> BTreeMap<String, String> {
    match config.get("chat_template") {
        Some(Value::String(text)) => [(DEFAULT.to_owned(), text.clone())].into(),
        Some(Value::Array(named)) => {
            let text = |one: &Value, field: &str| Some(one.get(field)?.as_str()?.to_owned());
            let pair = |one| Some((text(one, "name")?, text(one, "template")?));
            named.iter().filter_map(pair).collect()
        }
        _ => BTreeMap::new(),
    }
}

/// A special token is a text, or an object that holds it.
fn token(config: &Value, name: &str) -> Option<String> {
    text_of(config.get(name)?)
}

fn text_of(token: &Value) -> Option<String> {
    let text = token.as_str().or_else(|| token.get("content")?.as_str())?;
    Some(text.to_owned())
}

/// Whether a token that a tokenizer was given by name controls the model: it is marked as special, or written as such
/// tokens are. Others are words of the language (runs of spaces, `<think>`), which a text may hold.
pub fn controls(text: &str, special: bool) -> bool {
    special || (text.starts_with("<|") && text.ends_with("|>"))
}

/// Texts of the special tokens that tokenizer_config.json names.
fn special(config: &Value) -> Vec<String> {
    let added = config.get("added_tokens_decoder").and_then(Value::as_object);
    let added = added.into_iter().flat_map(Map::values).filter_map(|token| {
        let special = token.get("special").and_then(Value::as_bool).unwrap_or(true);
        let text = token.get("content")?.as_str()?;
        controls(text, special).then(|| text.to_owned())
    });
    let named = TOKENS.iter().filter_map(|name| token(config, name));
    // Lists of transformers 4 and 5; the latter may be a map by name.
    let more = ["additional_special_tokens", "extra_special_tokens"];
    let more = more.into_iter().flat_map(|name| match config.get(name) {
        Some(Value::Array(list)) => list.iter().filter_map(text_of).collect(),
        Some(Value::Object(map)) => map.values().filter_map(text_of).collect(),
        _ => Vec::new(),
    });
    added.chain(named).chain(more).collect()
}

/// Texts of more than a character, a longer one before one that it holds.
fn longest_first(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts
        .into_iter()
        .filter(|text| text.chars().count() > 1)
        .collect();
    texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    texts.dedup();
    texts
}
