//! Requests to texts, many at a time.
//!
//! One thread owns the model. Between two steps it lets requests in and takes cancelled ones out; a step reads one token of
//! every text that is being written, and pieces of the prompts that are still being read.

mod batch;
mod running;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use serde::Serialize;

use super::{Generated, Logprob, Room, Runner, Sampling, check};
use crate::{ModelError, tokenizer::TextTokenizer};
use batch::Batch;

/// What bounds an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineOptions {
    /// Requests that may wait; more are refused.
    pub queue: usize,
    /// Texts that are written at a time.
    pub running: usize,
    /// Tokens of prompts that are read in a step beside texts that are being written: what these may be held up by.
    pub piece: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            queue: 1024,
            running: 64,
            piece: 256,
        }
    }
}

/// A text to write.
#[derive(Debug, Clone)]
pub struct Request {
    /// What it starts with.
    pub prompt: Vec<u32>,
    /// How tokens are picked.
    pub sampling: Sampling,
    /// Folder of an adapter.
    pub adapter: Option<PathBuf>,
    /// Whether parts are wanted as they come.
    pub stream: bool,
}

/// What becomes of a request: parts, where they are wanted, then one of the others.
#[derive(Debug)]
pub enum Event {
    /// A part of the text.
    Part {
        /// It follows the parts before it.
        text: String,
        /// Of the tokens since the last part, where they were asked for.
        logprobs: Vec<Logprob>,
    },
    /// The whole text.
    Done(Generated),
    /// There is none.
    Failed(ModelError),
}

/// Where a request's events go; called on the engine's thread, so it should not wait.
pub type Sink = Box<dyn FnMut(Event) + Send>;

/// What an engine has done and does.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Stats {
    /// Texts being written.
    pub running: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Texts written.
    pub finished: u64,
    /// Requests that failed or were cancelled.
    pub failed: u64,
    /// Tokens of prompts read.
    pub prompt_tokens: u64,
    /// Tokens of prompts that had been read before for others.
    pub cached_tokens: u64,
    /// Tokens written.
    pub new_tokens: u64,
    /// Steps made.
    pub steps: u64,
    /// Seconds spent in steps.
    pub step_seconds: f64,
    /// What the model holds.
    pub room: Room,
}

enum Command {
    Submit(u64, Box<Request>, Sink),
    Cancel(u64),
    Stats(mpsc::Sender<Stats>),
}

/// A handle to the engine's thread, which ends when its work is done and the handle is dropped.
pub struct Engine {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    /// Requests that have not ended.
    open: Arc<AtomicUsize>,
    options: EngineOptions,
    vocabulary: usize,
}

impl Engine {
    /// Starts the thread. `ends` are the tokens that end a text.
    ///
    /// # Errors
    /// `model.busy` when the system has no thread left.
    pub fn start(
        runner: Box<dyn Runner>,
        tokenizer: Arc<TextTokenizer>,
        ends: BTreeSet<u32>,
        options: EngineOptions,
    ) -> Result<Self, ModelError> {
        let (commands, received) = mpsc::channel();
        let vocabulary = runner.vocabulary();
        let open = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&open);
        let thread = std::thread::Builder::new()
            .name("engine".to_owned())
            .spawn(move || Batch::new(runner, tokenizer, ends, options, counted).run(&received))
            .map_err(|error| ModelError::busy(error.to_string(), "Close other programs."))?;
        Ok(Self {
            commands: Some(commands),
            thread: Some(thread),
            open,
            options,
            vocabulary,
        })
    }

    /// Hands a request in under a number, by which it may be cancelled.
    ///
    /// # Errors
    /// `model.input` for what can never be met, `model.busy` when too many wait.
    pub fn submit(&self, id: u64, request: Request, sink: Sink) -> Result<(), ModelError> {
        check(&request.sampling)?;
        check_prompt(&request.prompt, self.vocabulary)?;
        let most = self.options.queue + self.options.running;
        let enter = |open: usize| (open < most).then_some(open + 1);
        if self
            .open
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, enter)
            .is_err()
        {
            return Err(ModelError::busy(
                format!("{most} requests are waiting or being answered"),
                "Send it again later.",
            ));
        }
        self.send(Command::Submit(id, Box::new(request), sink))
            .inspect_err(|_| {
                self.open.fetch_sub(1, Ordering::AcqRel);
            })
    }

    /// Takes a request back; it fails with `model.cancelled`. One that has ended is left alone.
    pub fn cancel(&self, id: u64) {
        let _ = self.send(Command::Cancel(id));
    }

    /// Requests that have not ended.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// What was done, between two steps.
    ///
    /// # Errors
    /// `model.busy` when the engine has ended.
    pub fn stats(&self) -> Result<Stats, ModelError> {
        let (reply, received) = mpsc::channel();
        self.send(Command::Stats(reply))?;
        received.recv().map_err(|_| ended())
    }

    /// Writes one text, and waits for it.
    ///
    /// # Errors
    /// What [`Self::submit`] says, or why it failed.
    pub fn generate(&self, id: u64, request: Request) -> Result<Generated, ModelError> {
        let (reply, received) = mpsc::channel();
        self.submit(
            id,
            request,
            Box::new(move |event| {
                let _ = reply.send(event);
            }),
        )?;
        loop {
            match received.recv().map_err(|_| ended())? {
                Event::Part { .. } => {}
                Event::Done(generated) => return Ok(generated),
                Event::Failed(error) => return Err(error),
            }
        }
    }

    fn send(&self, command: Command) -> Result<(), ModelError> {
        let sent = self.commands.as_ref().map(|commands| commands.send(command));
        sent.and_then(Result::ok).ok_or_else(ended)
    }
}

impl Drop for Engine {
    /// Waits for the requests that are being answered.
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether tokens can be read by a model of that vocabulary.
pub fn check_prompt(prompt: &[u32], vocabulary: usize) -> Result<(), ModelError> {
    if prompt.is_empty() {
        return Err(ModelError::input(
            "the prompt is empty",
            "Give a prompt: the model has no start-of-text token.",
        ));
    }
    match prompt.iter().find(|&&id| id as usize >= vocabulary) {
        None => Ok(()),
        Some(id) => Err(ModelError::input(
            format!("the token {id} is outside the model's vocabulary of {vocabulary}"),
            "Check that tokenizer.json belongs to these weights.",
        )),
    }
}

fn ended() -> ModelError {
    ModelError::busy(
        "the model's engine has ended",
        "Start the worker again; its log says why.",
    )
}
