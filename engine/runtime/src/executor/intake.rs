//! What a worker says: messages are passed on, its outputs and its last word are kept.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use indexmap::IndexMap;
use tokio::{
    io::{AsyncBufRead, AsyncRead, BufReader},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{Done, Level, Message, OperatorError, Outcome, Reporter, Secrets, Staged};

use super::lines::{self, Line};

/// Log lines of one attempt that are passed on; of the others only their number.
const LOG_LINES: u64 = 100_000;
/// Other messages of one attempt.
const MESSAGES: u64 = 1_000_000;
/// Outputs of one attempt.
const OUTPUTS: usize = 10_000;
/// A log line is cut after so many bytes.
const LOG_BYTES: usize = 16 << 10;
/// Last lines on stderr that are kept for the description of a crash.
const LAST_LINES: usize = 20;
/// Of each of those, so many characters.
const LAST_CHARS: usize = 500;

/// What both streams of a worker lead to. Shared between their readers and the watcher.
pub struct Intake {
    messages: mpsc::Sender<Message>,
    redact: Reporter,
    state: Mutex<State>,
    /// Cancelled when the last word has come.
    pub ended: CancellationToken,
}

struct State {
    outputs: IndexMap<String, Staged>,
    end: Option<Result<Outcome, OperatorError>>,
    last_lines: VecDeque<String>,
    last_sign: Instant,
    /// Readers that wait for room in `messages`: the silence is ours, not the worker's.
    held_up: u32,
    log_lines: u64,
    others: u64,
}

impl Intake {
    /// Passes messages on, less the values of these secrets and of those in the environment.
    pub fn new(messages: mpsc::Sender<Message>, secrets: &Secrets) -> Arc<Self> {
        let state = State {
            outputs: IndexMap::new(),
            end: None,
            last_lines: VecDeque::new(),
            last_sign: Instant::now(),
            held_up: 0,
            log_lines: 0,
            others: 0,
        };
        let redact = Reporter::new(|_| ()).knowing(secrets);
        Arc::new(Self {
            messages,
            redact,
            state: Mutex::new(state),
            ended: CancellationToken::new(),
        })
    }

    /// When the worker last gave a sign of life; now, while nobody takes what it says.
    pub fn last_sign(&self) -> Instant {
        self.with(|state| {
            if state.held_up > 0 {
                Instant::now()
            } else {
                state.last_sign
            }
        })
    }

    /// The last word, once.
    pub fn take_end(&self) -> Option<Result<Outcome, OperatorError>> {
        self.with(|state| state.end.take())
    }

    /// Whether the last word has come.
    pub fn has_ended(&self) -> bool {
        self.with(|state| state.end.is_some())
    }

    /// The last lines on stderr.
    pub fn last_lines(&self) -> Vec<String> {
        self.with(|state| state.last_lines.iter().cloned().collect())
    }

    /// Says how many lines were left out, at the end.
    pub async fn close(&self) {
        let dropped = self.with(|state| {
            let logs = state.log_lines.saturating_sub(LOG_LINES);
            logs + state.others.saturating_sub(MESSAGES)
        });
        if dropped > 0 {
            let message = format!("{dropped} more lines were left out: an attempt may say only so much");
            let _ = self
                .messages
                .send(Message::Log {
                    level: Level::Warn,
                    message,
                })
                .await;
        }
    }

    /// Reads messages until the stream ends.
    pub async fn read_messages(self: Arc<Self>, stream: impl AsyncRead + Unpin) {
        let mut reader = BufReader::with_capacity(64 << 10, stream);
        let mut line = Vec::new();
        while let Some(kind) = self.next(&mut reader, &mut line, lines::LONGEST).await {
            if kind == Line::Cut {
                let message = format!(
                    "a line of more than {} MiB on stdout was left out",
                    lines::LONGEST >> 20
                );
                self.log(Level::Warn, message).await;
                continue;
            }
            match serde_json::from_slice::<Message>(&line) {
                Ok(message) => self.take(self.redact.strike(message)).await,
                // Libraries that print to stdout are common; what they say is for people.
                Err(_) => self.log(Level::Info, text(&line)).await,
            }
        }
    }

    /// Reads log lines until the stream ends.
    pub async fn read_stderr(self: Arc<Self>, stream: impl AsyncRead + Unpin) {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while self.next(&mut reader, &mut line, LOG_BYTES).await.is_some() {
            let text = self.redact.redact(text(&line));
            self.with(|state| {
                if state.last_lines.len() == LAST_LINES {
                    state.last_lines.pop_front();
                }
                state
                    .last_lines
                    .push_back(text.chars().take(LAST_CHARS).collect());
            });
            self.log(Level::Info, text).await;
        }
    }

    async fn next<R: AsyncBufRead + Unpin>(
        &self,
        reader: &mut R,
        line: &mut Vec<u8>,
        longest: usize,
    ) -> Option<Line> {
        // A stream that cannot be read has ended.
        let kind = lines::next(reader, line, longest).await.ok()??;
        self.with(|state| state.last_sign = Instant::now());
        Some(kind)
    }

    async fn take(&self, message: Message) {
        match message {
            Message::Heartbeat => {}
            Message::Log { level, message } => self.log(level, message).await,
            Message::Progress { .. } | Message::Metric { .. } => {
                if self.with(|state| count(&mut state.others, MESSAGES)) {
                    self.send(message).await;
                }
            }
            Message::Output { port, artifact } => self.with(|state| {
                if state.outputs.len() < OUTPUTS && state.end.is_none() {
                    state.outputs.insert(port, *artifact);
                }
            }),
            Message::Result { metrics, aliases } => self.end(|state| {
                Ok(Outcome::Done(Done {
                    outputs: std::mem::take(&mut state.outputs),
                    metrics,
                    aliases,
                }))
            }),
            Message::Wait { request } => self.end(|_| Ok(Outcome::Wait(request))),
            Message::Error { error } => self.end(|_| Err(error)),
        }
    }

    /// The first last word counts.
    fn end(&self, end: impl FnOnce(&mut State) -> Result<Outcome, OperatorError>) {
        self.with(|state| {
            if state.end.is_none() {
                state.end = Some(end(state));
            }
        });
        self.ended.cancel();
    }

    async fn log(&self, level: Level, message: String) {
        if self.with(|state| count(&mut state.log_lines, LOG_LINES)) {
            let message = cut(self.redact.redact(message));
            self.send(Message::Log { level, message }).await;
        }
    }

    async fn send(&self, message: Message) {
        self.with(|state| state.held_up += 1);
        // Nobody listens any more: then nobody misses it.
        let _ = self.messages.send(message).await;
        self.with(|state| {
            state.held_up -= 1;
            state.last_sign = Instant::now();
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Counts one more; whether it is within the bound.
fn count(counter: &mut u64, bound: u64) -> bool {
    *counter += 1;
    *counter <= bound
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

fn cut(mut text: String) -> String {
    if text.len() > LOG_BYTES {
        let end = (0..=LOG_BYTES)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
