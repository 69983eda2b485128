//! A text that is being written.

use std::{collections::BTreeSet, sync::Arc};

use super::{Event, Request, Sink};
use crate::{
    ModelError,
    generate::{Finish, Generated, Logprob, Opened, Sampler, Sampling, Slot, TextWriter, logprob},
    tokenizer::TextTokenizer,
};

/// A request inside.
pub struct Running {
    pub id: u64,
    pub slot: Slot,
    pub sink: Sink,
    /// Tokens at the prompt's start that were left out.
    pub truncated: usize,
    /// At most so many new tokens.
    pub most: usize,
    /// How it ended, once it has.
    pub ended: Option<Result<Finish, ModelError>>,
    prompt: Vec<u32>,
    /// Tokens of the prompt that were read, now or for others.
    read: usize,
    known: usize,
    /// The token to read next, once the prompt was read.
    last: Option<[u32; 1]>,
    sampling: Sampling,
    sampler: Sampler,
    writer: TextWriter,
    logprobs: Vec<Logprob>,
    given_logprobs: usize,
    stream: bool,
}

impl Running {
    pub fn new(
        id: u64,
        opened: Opened,
        prompt: Vec<u32>,
        request: &Request,
        sink: Sink,
        tokenizer: &Arc<TextTokenizer>,
    ) -> Self {
        Self {
            id,
            slot: opened.slot,
            sink,
            truncated: 0,
            most: request.sampling.max_new_tokens,
            ended: None,
            read: opened.known,
            known: opened.known,
            last: None,
            sampler: Sampler::new(&request.sampling, &prompt),
            writer: TextWriter::new(Arc::clone(tokenizer), request.sampling.stop.clone()),
            sampling: request.sampling.clone(),
            logprobs: Vec::new(),
            given_logprobs: 0,
            stream: request.stream,
            prompt,
        }
    }

    /// Whether the prompt was read.
    pub fn writes(&self) -> bool {
        self.last.is_some()
    }

    /// What it reads next: its last token, or up to `budget` tokens of its prompt.
    pub fn piece(&self, budget: usize) -> &[u32] {
        match &self.last {
            Some(last) => last,
            None => {
                let end = self.prompt.len().min(self.read.saturating_add(budget));
                self.prompt.get(self.read..end).unwrap_or_default()
            }
        }
    }

    /// Whether a piece of that length ends the prompt.
    pub fn reads_last(&self, count: usize) -> bool {
        !self.writes() && self.read + count == self.prompt.len()
    }

    /// Notes that a piece was read.
    pub fn advance(&mut self, count: usize) {
        if !self.writes() {
            self.read += count;
        }
    }

    /// Picks the next token from its logits, and gives out what can be.
    pub fn pick(&mut self, logits: &mut [f32], ends: &BTreeSet<u32>) {
        let raw = self.sampling.logprobs.map(|_| logits.to_vec());
        let token = self.sampler.pick(logits);
        if let (Some(raw), Some(top)) = (raw, self.sampling.logprobs) {
            self.logprobs.push(logprob(&raw, token, top));
        }
        self.last = Some([token]);
        let stopped = match self.writer.push(token) {
            Ok(stopped) => stopped,
            Err(error) => {
                self.ended = Some(Err(error));
                return;
            }
        };
        let end =
            !self.sampling.ignore_end && ends.contains(&token) || self.sampling.stop_tokens.contains(&token);
        if end || stopped {
            self.ended = Some(Ok(Finish::Stop));
        } else if self.writer.tokens().len() >= self.most {
            self.ended = Some(Ok(Finish::Length));
        }
        if self.ended.is_none() {
            self.give();
        }
    }

    fn give(&mut self) {
        if !self.stream {
            return;
        }
        let text = self.writer.take().to_owned();
        if text.is_empty() {
            return;
        }
        let logprobs = self
            .logprobs
            .get(self.given_logprobs..)
            .unwrap_or_default()
            .to_vec();
        self.given_logprobs = self.logprobs.len();
        (self.sink)(Event::Part { text, logprobs });
    }

    /// Gives out the rest and the whole; whether it went well.
    pub fn finish(mut self) -> bool {
        let ended = match self.ended.take() {
            Some(Ok(finish)) => self.writer.finish().map(|()| finish),
            Some(Err(error)) => Err(error),
            None => Err(ModelError::Cancelled),
        };
        let finish = match ended {
            Ok(finish) => finish,
            Err(error) => {
                (self.sink)(Event::Failed(error));
                return false;
            }
        };
        self.give();
        let (text, tokens) = self.writer.into_parts();
        (self.sink)(Event::Done(Generated {
            text,
            new_tokens: tokens.len(),
            tokens,
            prompt_tokens: self.prompt.len(),
            prompt_truncated: self.truncated,
            cached_tokens: self.known,
            finish,
            logprobs: self.logprobs,
        }));
        true
    }
}
