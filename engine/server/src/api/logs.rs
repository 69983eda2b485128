//! A task's log: pages of JSON, or a live stream where the caller accepts `text/event-stream`.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response, sse::Event},
};
use futures::stream::{self, Stream, StreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twinloom_runtime::EngineEvent;
use utoipa::{IntoParams, ToSchema};

use super::words::Level;
use crate::{
    auth::principal::Principal,
    http::{
        extract::{Json, Path, Query},
        page,
        problem::Answer,
    },
    live,
    state::Shared,
};

/// Lines on a page at most.
const MOST_LINES: u64 = 5_000;
/// How often a log is looked at while nothing tells of new lines (the run may belong to another process).
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A line of a log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LogItem {
    /// Its cursor: pass it as `after` to get what follows.
    pub cursor: u64,
    /// When.
    pub time: Timestamp,
    /// Which attempt wrote it.
    pub attempt: u32,
    /// How serious it is.
    pub level: Level,
    /// The text.
    pub message: String,
}

/// A page of a log.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// The lines, in order.
    pub items: Vec<LogItem>,
    /// Pass it as `after`: it stays the same while nothing is new.
    pub next_cursor: String,
    /// Whether the file ends here for now.
    pub end: bool,
}

/// Which lines.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// Lines after this cursor; from the start unless given.
    pub after: Option<u64>,
    /// Lines on the page; 1,000 unless given.
    #[param(minimum = 1, maximum = 5000)]
    pub limit: Option<u64>,
    /// Only lines at least this serious.
    #[param(inline)]
    pub level: Option<Level>,
    /// Only lines that hold this text, in any case.
    pub q: Option<String>,
}

/// A task's log. With `Accept: text/event-stream` it is followed to the task's end: each `log` event's id is the line's
/// cursor (so `Last-Event-ID` resumes without loss or repetition), and `end` says that the task has ended.
#[utoipa::path(get, path = "/runs/{run}/tasks/{task}/logs", tag = "runs", operation_id = "task_logs",
    params(("run" = String, Path), ("task" = String, Path), LogQuery),
    responses((status = 200, content((LogPage = "application/json"), (String = "text/event-stream")))),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(
    State(app): State<Shared>,
    who: Principal,
    Path((run, task)): Path<(String, String)>,
    Query(query): Query<LogQuery>,
    headers: HeaderMap,
) -> Answer<Response> {
    let id = app.meta.run_head(&run).await?.id;
    app.meta.task(&id, &task).await?;
    let limit = page::limit(query.limit, 1_000, MOST_LINES)?;
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("text/event-stream")) {
        let after = live::last_event_id(&headers).or(query.after).unwrap_or(0);
        let reader = Reader {
            app: app.clone(),
            run: id,
            task,
            query,
            after,
            limit,
        };
        return Ok(live::sse(app, who, follow(reader)));
    }
    let reader = Reader {
        after: query.after.unwrap_or(0),
        app,
        run: id,
        task,
        query,
        limit,
    };
    let (items, next, end) = reader.page().await?;
    Ok(Json(LogPage {
        items,
        next_cursor: next.to_string(),
        end,
    })
    .into_response())
}

struct Reader {
    app: Shared,
    run: String,
    task: String,
    query: LogQuery,
    after: u64,
    limit: u64,
}

impl Reader {
    /// Lines after `self.after` that are asked for, the cursor after them, and whether the file ends there.
    async fn page(&self) -> Answer<(Vec<LogItem>, u64, bool)> {
        let wanted = self.query.q.as_ref().map(|text| text.to_lowercase());
        let fits = |item: &LogItem| {
            self.query.level.is_none_or(|level| item.level >= level)
                && wanted
                    .as_ref()
                    .is_none_or(|text| item.message.to_lowercase().contains(text))
        };
        let mut items = Vec::new();
        let mut after = self.after;
        loop {
            let page = self
                .app
                .engine
                .log_page(&self.run, &self.task, after, self.limit)
                .await?;
            after = page.next;
            let lines = page.lines.into_iter().map(|(cursor, line)| LogItem {
                cursor,
                time: line.time,
                attempt: line.attempt,
                level: line.level.into(),
                message: line.message,
            });
            items.extend(lines.filter(fits));
            let full = items.len() as u64 >= self.limit;
            if full {
                items.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
                let cut = items.last().map_or(after, |last| last.cursor);
                return Ok((items, cut, page.end && cut == after));
            }
            if page.end {
                return Ok((items, after, true));
            }
        }
    }
}

/// Lines as they come, to the end of the task.
fn follow(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> + Send + 'static {
    let events = reader.app.engine.subscribe();
    stream::unfold(Some((reader, events)), |state| async move {
        let (mut reader, mut events) = state?;
        loop {
            // The state is asked for before the file, so that an end is told only after all lines.
            let ended = match reader.app.meta.task(&reader.run, &reader.task).await {
                Ok(task) => task.state.ended(),
                Err(_) => true,
            };
            let Ok((items, next, end)) = reader.page().await else {
                return None;
            };
            reader.after = next;
            if !items.is_empty() {
                let events_out: Vec<_> = items.iter().map(line_event).collect();
                return Some((stream::iter(events_out), Some((reader, events))));
            }
            if ended && end {
                let last = Event::default().event("end").id(next.to_string()).data("{}");
                return Some((stream::iter(vec![Ok(last)]), None));
            }
            let news = async {
                loop {
                    match events.recv().await {
                        Ok(EngineEvent::Log { run, task, .. } | EngineEvent::Task { run, task, .. })
                            if run == reader.run && task == reader.task =>
                        {
                            return;
                        }
                        Ok(_) => {}
                        Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => return,
                        Err(tokio::sync::broadcast::error::RecvError::Closed) => {
                            return std::future::pending().await;
                        }
                    }
                }
            };
            // A moment for more lines to come, so that a noisy task is sent in batches.
            let _ = tokio::time::timeout(LOOK_EVERY, news).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .flatten()
}

fn line_event(item: &LogItem) -> Result<Event, Infallible> {
    let data = serde_json::to_string(item).unwrap_or_default();
    Ok(Event::default()
        .event("log")
        .id(item.cursor.to_string())
        .data(data))
}
