//! Tokens to text as they come: whole characters only, and nothing that may become a stop text.

use std::sync::Arc;

use crate::{ModelError, tokenizer::TextTokenizer};

/// So many tokens without a whole character are no character any more.
const LONGEST_CHARACTER: usize = 8;

/// Writes one text.
pub struct TextWriter {
    tokenizer: Arc<TextTokenizer>,
    stops: Vec<String>,
    tokens: Vec<u32>,
    /// Tokens from `start` to `done` are in the text; they are decoded again with the next, as a token's text depends on
    /// what stands before it.
    start: usize,
    done: usize,
    text: String,
    /// Bytes of the text that were given out.
    given: usize,
}

impl TextWriter {
    /// An empty text that ends before any of `stops`.
    #[must_use]
    pub fn new(tokenizer: Arc<TextTokenizer>, stops: Vec<String>) -> Self {
        Self {
            tokenizer,
            stops,
            tokens: Vec::new(),
            start: 0,
            done: 0,
            text: String::new(),
            given: 0,
        }
    }

    /// Adds a token. Whether a stop text came; the text ends before it.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn push(&mut self, token: u32) -> Result<bool, ModelError> {
        self.tokens.push(token);
        self.decode(self.tokens.len() - self.done > LONGEST_CHARACTER)
    }

    /// Decodes what is left at the end of a text.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn finish(&mut self) -> Result<(), ModelError> {
        if self.done < self.tokens.len() {
            self.decode(true)?;
        }
        self.stops.clear();
        Ok(())
    }

    /// What can be given out now, each part once.
    pub fn take(&mut self) -> &str {
        let (from, to) = (self.given, self.safe());
        self.given = to;
        self.text.get(from..to).unwrap_or_default()
    }

    /// The tokens so far.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The text and its tokens.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<u32>) {
        (self.text, self.tokens)
    }

    fn decode(&mut self, whole: bool) -> Result<bool, ModelError> {
        let tokens = |from: usize, to: usize| self.tokens.get(from..to).unwrap_or_default();
        let before = self.tokenizer.decode(tokens(self.start, self.done))?;
        let now = self.tokenizer.decode(tokens(self.start, self.tokens.len()))?;
        let added = match now.strip_prefix(before.as_str()) {
            Some(added) if whole || !added.ends_with('\u{fffd}') => added,
            None if whole => now.get(before.len()..).unwrap_or_default(),
            _ => return Ok(false),
        };
        if added.is_empty() && !whole {
            return Ok(false);
        }
        let searched = self.text.len();
        self.text.push_str(added);
        (self.start, self.done) = (self.done, self.tokens.len());
        Ok(self.stop(searched))
    }

    /// Cuts the text before a stop text that ends behind `searched`.
    fn stop(&mut self, searched: usize) -> bool {
        let found = self.stops.iter().filter_map(|stop| {
            let from = self.text.floor_char_boundary(searched.saturating_sub(stop.len()));
            Some(from + self.text.get(from..)?.find(stop.as_str())?)
        });
        let Some(end) = found.min() else { return false };
        self.text.truncate(end);
        self.stops.clear();
        true
    }

    /// The end of what no stop text can reach into any more.
    fn safe(&self) -> usize {
        let held = |stop: &String| {
            let most = stop.len().saturating_sub(1).min(self.text.len() - self.given);
            (1..=most)
                .rev()
                .find(|length| {
                    stop.get(..*length)
                        .is_some_and(|start| self.text.ends_with(start))
                })
                .unwrap_or(0)
        };
        self.text.len() - self.stops.iter().map(held).max().unwrap_or(0)
    }
}
