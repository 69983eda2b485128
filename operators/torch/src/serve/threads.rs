//! The service's threads, and the replies that they all send.

use std::{
    collections::HashMap,
    io::Write,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use serde_json::{Value, json};

use super::{
    Embed, Generate, Request, Rerank, ServeOptions,
    models::{Encoders, Texts, as_json},
    refusal,
};
use crate::{ModelError, generate::Event};

/// Replies that wait for a reader before everything waits.
const REPLIES: usize = 1 << 14;
/// Requests that wait for a thread before reading waits.
const REQUESTS: usize = 1 << 12;

/// The running threads.
pub struct Threads {
    replies: SyncSender<Value>,
    texts: SyncSender<TextWork>,
    encoders: SyncSender<(Value, EncoderWork)>,
    writer: JoinHandle<std::io::Result<()>>,
    workers: Vec<JoinHandle<()>>,
    /// Nobody reads the replies any more.
    broken: Arc<AtomicBool>,
}

enum EncoderWork {
    Embed(Embed),
    Rerank(Rerank),
}

enum TextWork {
    Generate(Value, Box<Generate>),
    Cancel(Value, Value),
    Stats(Value),
}

impl Threads {
    pub fn start(output: impl Write + Send + 'static, options: ServeOptions) -> std::io::Result<Self> {
        let (replies, to_write) = sync_channel(REPLIES);
        let (texts, for_texts) = sync_channel(REQUESTS);
        let (encoders, for_encoders) = sync_channel(REQUESTS);
        let broken = Arc::<AtomicBool>::default();
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let seen = Arc::clone(&broken);
        let writer = named("replies").spawn(move || {
            let written = write(output, &to_write);
            seen.store(true, Ordering::Relaxed);
            // Whoever still sends must not wait for ever.
            to_write.into_iter().for_each(drop);
            written
        })?;
        let reply = replies.clone();
        let text_worker = named("texts").spawn(move || TextThread::new(options, reply).run(&for_texts))?;
        let reply = replies.clone();
        let encoder = named("encoders").spawn(move || {
            let mut models = Encoders::new(options.device, options.encoder_weights);
            for (id, asked) in for_encoders {
                let found = match &asked {
                    EncoderWork::Embed(asked) => models.embed(asked),
                    EncoderWork::Rerank(asked) => models.rerank(asked),
                };
                let _ = reply.send(answer(id, found));
            }
        })?;
        Ok(Self {
            replies,
            texts,
            encoders,
            writer,
            workers: vec![text_worker, encoder],
            broken,
        })
    }

    pub fn reply(&self, reply: Value) {
        let _ = self.replies.send(reply);
    }

    /// Hands a request to the thread that it is for.
    pub fn take(&self, id: Value, request: Request) {
        let _ = match request {
            Request::Embed(asked) => return drop(self.encoders.send((id, EncoderWork::Embed(asked)))),
            Request::Rerank(asked) => return drop(self.encoders.send((id, EncoderWork::Rerank(asked)))),
            Request::Generate(asked) => self.texts.send(TextWork::Generate(id, asked)),
            Request::Cancel { request } => self.texts.send(TextWork::Cancel(id, request)),
            Request::Stats => self.texts.send(TextWork::Stats(id)),
        };
    }

    pub fn broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Waits until all is answered and written.
    pub fn finish(self) -> std::io::Result<()> {
        drop((self.texts, self.encoders));
        for worker in self.workers {
            let _ = worker.join();
        }
        drop(self.replies);
        match self.writer.join() {
            Ok(written) => written,
            Err(_) => Err(std::io::Error::other("the thread that writes replies panicked")),
        }
    }
}

fn write(mut output: impl Write, replies: &Receiver<Value>) -> std::io::Result<()> {
    while let Ok(reply) = replies.recv() {
        let mut next = Some(reply);
        // Many small parts go out in one write.
        while let Some(reply) = next {
            serde_json::to_writer(&mut output, &reply)?;
            output.write_all(b"\n")?;
            next = replies.try_recv().ok();
        }
        output.flush()?;
    }
    Ok(())
}

fn answer(id: Value, found: Result<Value, ModelError>) -> Value {
    match found {
        Ok(mut reply) => {
            if let Some(fields) = reply.as_object_mut() {
                fields.insert("id".to_owned(), id);
            }
            reply
        }
        Err(error) => refusal(id, &error),
    }
}

/// Requests that are open, by their `id` as text: the model's folder, and the number in its engine.
type Open = Arc<Mutex<HashMap<String, (PathBuf, u64)>>>;

/// Owns the language models.
struct TextThread {
    texts: Texts,
    replies: SyncSender<Value>,
    open: Open,
    count: u64,
}

impl TextThread {
    fn new(options: ServeOptions, replies: SyncSender<Value>) -> Self {
        Self {
            texts: Texts::new(options),
            replies,
            open: Open::default(),
            count: 0,
        }
    }

    fn run(mut self, work: &Receiver<TextWork>) {
        while let Ok(work) = work.recv() {
            match work {
                TextWork::Generate(id, asked) => {
                    if let Err(error) = self.generate(&id, *asked) {
                        let _ = self.replies.send(refusal(id, &error));
                    }
                }
                TextWork::Cancel(id, request) => {
                    let found = held(&self.open).get(&request.to_string()).cloned();
                    if let Some((dir, number)) = &found
                        && let Some(served) = self.texts.loaded(dir)
                    {
                        served.engine.cancel(*number);
                    }
                    let _ = self.replies.send(json!({"id": id, "cancelled": found.is_some()}));
                }
                TextWork::Stats(id) => {
                    let _ = self.replies.send(answer(id, self.texts.stats()));
                }
            }
        }
    }

    fn generate(&mut self, id: &Value, asked: Generate) -> Result<(), ModelError> {
        self.count += 1;
        let (number, dir) = (self.count, asked.model.clone());
        let served = self.texts.get(&dir)?;
        let request = served.request(asked)?;
        let (key, open, replies) = (id.to_string(), Arc::clone(&self.open), self.replies.clone());
        held(&open).insert(key.clone(), (dir, number));
        let sent = id.clone();
        let sink = move |event| {
            let reply = match event {
                Event::Part { text, logprobs } if logprobs.is_empty() => json!({"id": sent, "delta": text}),
                Event::Part { text, logprobs } => json!({"id": sent, "delta": text, "logprobs": logprobs}),
                Event::Done(generated) => {
                    close(&open, &key, number);
                    answer(sent.clone(), as_json(&generated))
                }
                Event::Failed(error) => {
                    close(&open, &key, number);
                    refusal(sent.clone(), &error)
                }
            };
            let _ = replies.send(reply);
        };
        let submitted = served.engine.submit(number, request, Box::new(sink));
        submitted.inspect_err(|_| close(&self.open, &id.to_string(), number))
    }
}

fn held(open: &Open) -> std::sync::MutexGuard<'_, HashMap<String, (PathBuf, u64)>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Another request may have come under the same `id` since.
fn close(open: &Open, key: &str, number: u64) {
    let mut open = held(open);
    if open.get(key).is_some_and(|(_, held)| *held == number) {
        open.remove(key);
    }
}
