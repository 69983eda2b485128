//! One reader of the event log for all live clients.
//!
//! Durable events have their cursor as SSE id. A client first gets from the database what lies between its cursor and
//! the hub's position, then what the hub passes on; ids only grow, so nothing is lost or doubled where the two meet.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::response::sse::Event;
use futures::stream::{self, Stream, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};
use twinloom_meta::{EventRow, Meta};
use twinloom_runtime::{Engine, EngineEvent};

use crate::api::events::EventItem;

/// Messages that a slow client may be behind before it is served from the database again.
const BUFFER: usize = 4096;
/// How often the log is looked at while nobody tells of events: other processes write there too.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Events read at a time.
const BATCH: u64 = 500;

/// A message to live clients.
#[derive(Debug, Clone)]
pub enum News {
    /// An event of the log: id, and the item as JSON.
    Logged(i64, Arc<str>),
    /// The hub starts to read after this id: whoever has not got as far reads up by itself.
    Position(i64),
    /// Something passing (a task's state, progress): its type, and the event as JSON.
    Passing(&'static str, Arc<str>),
}

/// Passes news on to whoever listens.
#[derive(Clone)]
pub struct Hub {
    meta: Meta,
    news: broadcast::Sender<News>,
}

impl Hub {
    /// Starts reading from the end of the log. The task ends with its handle.
    pub fn start(meta: Meta, engine: &Engine) -> (Self, tokio::task::JoinHandle<()>) {
        let hub = Self {
            meta,
            news: broadcast::Sender::new(BUFFER),
        };
        let task = tokio::spawn(hub.clone().run(engine.subscribe()));
        (hub, task)
    }

    async fn run(self, mut engine: broadcast::Receiver<EngineEvent>) {
        let mut cursor = None;
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut written = self.meta.watch_events();
        loop {
            tokio::select! {
                event = engine.recv() => match event {
                    Ok(event) => {
                        self.pass(&event);
                        continue;
                    }
                    Err(RecvError::Lagged(_)) => continue,
                    Err(RecvError::Closed) => return,
                },
                _ = written.changed() => {}
                _ = look.tick() => {}
            }
            if self.news.receiver_count() == 0 {
                cursor = None;
            } else if let Err(error) = self.pass_logged(&mut cursor).await {
                tracing::warn!(%error, "the event log could not be read");
            }
        }
    }

    fn pass(&self, event: &EngineEvent) {
        if self.news.receiver_count() == 0 {
            return;
        }
        let kind = match event {
            EngineEvent::Run { .. } => "run",
            EngineEvent::Task { .. } => "task",
            EngineEvent::Progress { .. } => "progress",
            EngineEvent::Metric { .. } => "metric",
            // Logs have streams of their own.
            EngineEvent::Log { .. } => return,
        };
        if let Ok(json) = serde_json::to_string(event) {
            // Nobody listening is fine.
            let _ = self.news.send(News::Passing(kind, json.into()));
        }
    }

    async fn pass_logged(&self, cursor: &mut Option<i64>) -> Result<(), twinloom_meta::MetaError> {
        let Some(mut at) = *cursor else {
            let last = self.meta.last_event().await?;
            *cursor = Some(last);
            // As above.
            let _ = self.news.send(News::Position(last));
            return Ok(());
        };
        loop {
            let rows = self.meta.events_after(at, BATCH).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            at = last.id;
            *cursor = Some(at);
            for row in &rows {
                // As above.
                let _ = self.news.send(News::Logged(row.id, json_of(row)));
            }
        }
    }

    /// Everything from now on, and first what the log holds after `after`.
    pub async fn follow(
        &self,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<Event, Infallible>> + Send + use<>, twinloom_meta::MetaError> {
        // Subscribed before the log is read, so that no event falls between.
        let news = self.news.subscribe();
        let at = match after {
            Some(after) => after,
            None => self.meta.last_event().await?,
        };
        let client = Client {
            hub: self.clone(),
            news,
            at,
            ready: VecDeque::new(),
            behind: true,
        };
        let hello = Event::default().event("hello").id(at.to_string()).data("{}");
        let events = stream::unfold(client, |mut client| async move {
            let event = client.next().await?;
            Some((Ok(event), client))
        });
        Ok(stream::iter([Ok(hello)]).chain(events))
    }
}

struct Client {
    hub: Hub,
    news: broadcast::Receiver<News>,
    /// The last event that was sent.
    at: i64,
    ready: VecDeque<(i64, Arc<str>)>,
    /// Whether the log may hold events after `at` that are not in `news`.
    behind: bool,
}

impl Client {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((id, json)) = self.ready.pop_front() {
                self.at = id;
                return Some(logged(id, &json));
            }
            if self.behind {
                let rows = self.hub.meta.events_after(self.at, BATCH).await.ok()?;
                self.behind = !rows.is_empty();
                self.ready.extend(rows.iter().map(|row| (row.id, json_of(row))));
                continue;
            }
            match self.news.recv().await {
                Ok(News::Logged(id, json)) if id > self.at => {
                    // Ids have no gaps that stay open: one that is not the next means that some came before.
                    if id == self.at + 1 {
                        self.at = id;
                        return Some(logged(id, &json));
                    }
                    self.behind = true;
                }
                Ok(News::Logged(..)) => {}
                Ok(News::Position(last)) => self.behind = last > self.at,
                Ok(News::Passing(kind, json)) => return Some(Event::default().event(kind).data(&*json)),
                Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

fn logged(id: i64, json: &str) -> Event {
    Event::default().event("event").id(id.to_string()).data(json)
}

fn json_of(row: &EventRow) -> Arc<str> {
    serde_json::to_string(&EventItem::from(row))
        .unwrap_or_default()
        .into()
}
