//! The engine's thread: who is let in, and what a step reads.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Instant,
};

use super::{Command, EngineOptions, Event, Request, Sink, Stats, running::Running};
use crate::{
    ModelError,
    generate::{Piece, Runner, fit},
    tokenizer::TextTokenizer,
};

/// Tokens of prompts that a step reads while no text is being written.
const LARGEST_PIECE: usize = 512;

struct Waiting {
    id: u64,
    request: Box<Request>,
    sink: Sink,
}

/// All state of an engine.
pub struct Batch {
    runner: Box<dyn Runner>,
    tokenizer: Arc<TextTokenizer>,
    ends: Arc<BTreeSet<u32>>,
    options: EngineOptions,
    open: Arc<AtomicUsize>,
    waiting: VecDeque<Waiting>,
    /// In the order of being let in.
    running: Vec<Running>,
    stats: Stats,
}

impl Batch {
    pub fn new(
        runner: Box<dyn Runner>,
        tokenizer: Arc<TextTokenizer>,
        ends: BTreeSet<u32>,
        options: EngineOptions,
        open: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            runner,
            tokenizer,
            ends: Arc::new(ends),
            options,
            open,
            waiting: VecDeque::new(),
            running: Vec::new(),
            stats: Stats::default(),
        }
    }

    /// Works until all is done and nobody can ask any more.
    pub fn run(mut self, commands: &mpsc::Receiver<Command>) {
        // The weights are nobody's to change here.
        let _guard = tch::no_grad_guard();
        let mut asked = true;
        loop {
            let idle = self.running.is_empty() && self.waiting.is_empty();
            if idle && !asked {
                return;
            }
            if idle {
                match commands.recv() {
                    Ok(command) => self.obey(command),
                    Err(_) => asked = false,
                }
            }
            loop {
                match commands.try_recv() {
                    Ok(command) => self.obey(command),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => {
                        asked = false;
                        break;
                    }
                }
            }
            self.admit();
            self.step();
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Submit(id, request, sink) => self.waiting.push_back(Waiting { id, request, sink }),
            Command::Cancel(id) => self.cancel(id),
            Command::Stats(reply) => {
                let _ = reply.send(Stats {
                    running: self.running.len(),
                    waiting: self.waiting.len(),
                    room: self.runner.room(),
                    ..self.stats.clone()
                });
            }
        }
    }

    fn cancel(&mut self, id: u64) {
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.id == id)
            && let Some(waiting) = self.waiting.remove(at)
        {
            self.fail(waiting.sink, ModelError::Cancelled);
        }
        if let Some(at) = self.running.iter().position(|running| running.id == id) {
            let running = self.running.remove(at);
            self.runner.close(running.slot);
            self.fail(running.sink, ModelError::Cancelled);
        }
    }

    fn fail(&mut self, mut sink: Sink, error: ModelError) {
        self.stats.failed += 1;
        self.open.fetch_sub(1, Ordering::AcqRel);
        sink(Event::Failed(error));
    }

    /// Lets in who comes first, as long as there is room; nobody overtakes, or long requests would wait for ever.
    fn admit(&mut self) {
        while self.running.len() < self.options.running {
            let Some(first) = self.waiting.front() else { return };
            let sampling = &first.request.sampling;
            let context = self.runner.context();
            let (prompt, truncated) = fit(&first.request.prompt, context, sampling.max_new_tokens);
            let most = sampling
                .max_new_tokens
                .min(context.saturating_sub(prompt.len()).max(1));
            let opened = self
                .runner
                .open(&prompt, prompt.len() + most, first.request.adapter.as_deref());
            if let Ok(None) = opened
                && !self.running.is_empty()
            {
                return;
            }
            let Some(Waiting { id, request, sink }) = self.waiting.pop_front() else {
                return;
            };
            match opened {
                Ok(Some(opened)) => {
                    self.stats.cached_tokens += opened.known as u64;
                    let mut running = Running::new(id, opened, prompt, &request, sink, &self.tokenizer);
                    running.truncated = truncated;
                    running.most = most;
                    self.running.push(running);
                }
                // Nobody is inside who could make room.
                Ok(None) => self.fail(
                    sink,
                    ModelError::busy(
                        "there is no room for the text's keys and values",
                        "Ask for fewer new tokens, or give more memory to keys and values.",
                    ),
                ),
                Err(error) => self.fail(sink, error),
            }
        }
    }

    fn step(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let writing = self.running.iter().any(Running::writes);
        let mut budget = if writing {
            self.options.piece
        } else {
            LARGEST_PIECE
        }
        .max(1);
        let mut pieces = Vec::new();
        let mut members = Vec::new();
        for (index, running) in self.running.iter().enumerate() {
            let piece = running.piece(budget);
            if piece.is_empty() {
                continue;
            }
            let writes = running.writes();
            if !writes {
                budget -= piece.len();
            }
            pieces.push(Piece {
                slot: running.slot,
                tokens: piece,
                wanted: writes || running.reads_last(piece.len()),
            });
            members.push((index, piece.len(), writes));
        }
        let start = Instant::now();
        let result = self.runner.step(&pieces);
        self.stats.steps += 1;
        self.stats.step_seconds += start.elapsed().as_secs_f64();
        match result {
            Ok(logits) => self.take(&members, logits),
            Err(error) => self.fail_all(&error),
        }
    }

    /// Deals out a step's logits, in the order of its pieces.
    fn take(&mut self, members: &[(usize, usize, bool)], mut logits: Vec<f32>) {
        let mut rows = logits.chunks_exact_mut(self.runner.vocabulary().max(1));
        for &(index, count, writes) in members {
            let Some(running) = self.running.get_mut(index) else {
                continue;
            };
            let wanted = writes || running.reads_last(count);
            running.advance(count);
            if !writes {
                self.stats.prompt_tokens += count as u64;
            }
            if wanted && let Some(row) = rows.next() {
                self.stats.new_tokens += 1;
                running.pick(row, &self.ends);
            }
        }
        let mut kept = Vec::with_capacity(self.running.len());
        for running in std::mem::take(&mut self.running) {
            if running.ended.is_none() {
                kept.push(running);
                continue;
            }
            self.runner.close(running.slot);
            self.open.fetch_sub(1, Ordering::AcqRel);
            if running.finish() {
                self.stats.finished += 1;
            } else {
                self.stats.failed += 1;
            }
        }
        self.running = kept;
    }

    /// A step that fails (out of memory on a device) has left every text in it without its keys.
    fn fail_all(&mut self, error: &ModelError) {
        for running in std::mem::take(&mut self.running) {
            self.runner.close(running.slot);
            self.fail(running.sink, ModelError::busy(error.to_string(), error.hint()));
        }
    }
}
