//! A checkpoint's tokenizer: text to tokens and back.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokenizers::Tokenizer;

use super::{ChatTemplate, Message, Rendered, Rendering, chat::controls};
use crate::{ModelError, checkpoint::read_json};

/// Longer texts are encoded in pieces, so that memory stays bounded.
const PIECE: usize = 1 << 16;

/// The tokenizer of a folder, with its chat template.
pub struct TextTokenizer {
    dir: PathBuf,
    /// Reads special tokens where a text has them: for what a template rendered.
    marked: Tokenizer,
    /// Takes them for the characters that they are: for documents.
    plain: Tokenizer,
    template: ChatTemplate,
    bos: Option<u32>,
    eos: Option<u32>,
}

impl TextTokenizer {
    /// Reads `tokenizer.json` and `tokenizer_config.json`.
    ///
    /// # Errors
    /// `model.file_missing`, `model.unreadable` or `model.damaged`, naming the file.
    pub fn load(dir: &Path) -> Result<Self, ModelError> {
        let path = dir.join("tokenizer.json");
        if !path.is_file() {
            return Err(ModelError::Missing {
                dir: dir.to_owned(),
                what: "tokenizer.json".to_owned(),
            });
        }
        let mut marked = Tokenizer::from_file(&path).map_err(|error| ModelError::Damaged {
            path: path.clone(),
            why: error.to_string(),
        })?;
        // A file may carry settings for batches; here every text counts as it is.
        marked.with_padding(None);
        marked
            .with_truncation(None)
            .map_err(|error| ModelError::Damaged {
                path,
                why: error.to_string(),
            })?;
        let mut plain = marked.clone();
        plain.set_encode_special_tokens(true);
        let config = read_json(&dir.join("tokenizer_config.json"), dir)?;
        let id = |name: &str| {
            let token: &Value = config.get(name)?;
            marked.token_to_id(token.as_str().or_else(|| token.get("content")?.as_str())?)
        };
        let (bos, eos) = (id("bos_token"), id("eos_token"));
        let mut template = ChatTemplate::load(dir)?;
        let added = marked.get_added_tokens_decoder().into_values();
        let added = added.filter(|token| controls(&token.content, token.special));
        template.add_special(added.map(|token| token.content));
        Ok(Self {
            dir: dir.to_owned(),
            template,
            marked,
            plain,
            bos,
            eos,
        })
    }

    /// The folder that it was read from.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Start of text.
    #[must_use]
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// End of text.
    #[must_use]
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Size of the vocabulary, special tokens included.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.marked.get_vocab_size(true)
    }

    /// Checks that a model with so many embeddings has one for each token.
    ///
    /// # Errors
    /// `model.input`, naming the token.
    pub fn check_ids(&self, ids: &[u32], vocabulary: i64) -> Result<(), ModelError> {
        let Some(id) = ids.iter().find(|id| i64::from(**id) >= vocabulary) else {
            return Ok(());
        };
        let text = self.marked.id_to_token(*id).unwrap_or_default();
        Err(ModelError::input(
            format!(
                "the tokenizer makes the token {id} (`{text}`), the model has embeddings for {vocabulary}"
            ),
            "Use the tokenizer.json that these weights were published with; where tokens were added to it, a checkpoint whose \
             embeddings were resized with it.",
        ))
    }

    /// A document's tokens, without start and end. Names of special tokens in it are characters like others.
    ///
    /// # Errors
    /// `model.input`, where the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let mut ids = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(cut(rest, PIECE));
            ids.extend_from_slice(
                self.plain
                    .encode_fast(piece, false)
                    .map_err(not_encoded)?
                    .get_ids(),
            );
            rest = after;
        }
        Ok(ids)
    }

    /// Tokens of what [`Self::render`] gave: special tokens are read as such, none is added.
    ///
    /// # Errors
    /// `model.input`, where the tokenizer fails.
    pub fn encode_marked(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        Ok(self
            .marked
            .encode_fast(text, false)
            .map_err(not_encoded)?
            .get_ids()
            .to_vec())
    }

    /// A conversation as text; see [`ChatTemplate::render`].
    ///
    /// # Errors
    /// As [`ChatTemplate::render`].
    pub fn render(&self, messages: &[Message], open: bool) -> Result<String, ModelError> {
        self.template.render(messages, open)
    }

    /// The same for turns of any fields, and with what else a template may ask for; see [`ChatTemplate::render_turns`].
    ///
    /// # Errors
    /// As [`ChatTemplate::render_turns`].
    pub fn render_turns(&self, turns: &[Value], with: &Rendering) -> Result<Rendered, ModelError> {
        self.template.render_turns(turns, with)
    }

    /// An instruction up to the start of the answer, and the answer with its end: the two parts of a training row. They are
    /// encoded as one text, as the model reads it: on its own, a tokenizer may begin the answer otherwise. A token that
    /// reaches from one into the other is the answer's.
    ///
    /// # Errors
    /// `model.input` when the template does not put the answer after the prompt, or the tokenizer fails.
    pub fn encode_turns(&self, instruction: &str, answer: &str) -> Result<(Vec<u32>, Vec<u32>), ModelError> {
        let asked = [Message::user(instruction)];
        let prompt = self.template.render_row(&asked, true)?;
        let [question] = asked;
        let whole = self
            .template
            .render_row(&[question, Message::assistant(answer)], false)?;
        if !whole.starts_with(&prompt) {
            return Err(ModelError::input(
                "the model's chat template writes a finished turn otherwise than the start of a new one",
                "Use a base model whose template renders both alike.",
            ));
        }
        let encoded = self.marked.encode(whole, false).map_err(not_encoded)?;
        let ends = encoded.get_offsets().iter();
        let given = ends.take_while(|(_, end)| *end <= prompt.len()).count();
        let mut tokens = encoded.get_ids().to_vec();
        let turn = tokens.split_off(given);
        Ok((tokens, turn))
    }

    /// Text of tokens; special tokens are left out.
    ///
    /// # Errors
    /// `model.input`, where the tokenizer fails.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        self.marked.decode(ids, true).map_err(|error| {
            ModelError::input(
                format!("tokens could not be turned into text: {error}"),
                "Check the model's tokenizer.json.",
            )
        })
    }
}

/// Where to cut a text of more than `most` bytes: after a line or a space if there is one in its second half.
fn cut(text: &str, most: usize) -> usize {
    if text.len() <= most {
        return text.len();
    }
    let end = (1..=most)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(text.len());
    let piece = text.get(..end).unwrap_or(text);
    let space = piece.rfind('\n').or_else(|| piece.rfind(' '));
    // The space goes to the following word, as the tokenizer has it.
    space.filter(|at| *at > end / 2).unwrap_or(end)
}

fn not_encoded(error: tokenizers::Error) -> ModelError {
    ModelError::input(
        format!("a text could not be encoded: {error}"),
        "Check the model's tokenizer.json.",
    )
}
