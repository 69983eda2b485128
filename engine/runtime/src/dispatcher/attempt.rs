//! One attempt: its working folder, its executor, and where its messages go.

use std::{fs, sync::Arc};

use tokio::sync::mpsc;
use twinloom_meta::MetricPoint;
use twinloom_sdk::{Assignment, Level, Message, OperatorError};

use super::{Input, Launch, Shared};
use crate::{
    EngineEvent, LogLine,
    executor::{AttemptEnd, Executor, OnSpawn, Spawned},
    failpoint,
    logs::{LogFile, slug},
    secrets,
};

/// Messages that a worker may be ahead; then it waits.
const BACKLOG: usize = 256;

/// Runs an attempt that is committed as running; its end goes to the dispatcher.
pub fn spawn(shared: &Arc<Shared>, launch: Launch) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        failpoint::hit(failpoint::BEFORE_LAUNCH);
        let (task, attempt) = (launch.task.clone(), launch.document.attempt);
        let end = run(&shared, launch).await;
        shared.send(Input::Attempt { task, attempt, end });
    });
}

async fn run(shared: &Arc<Shared>, launch: Launch) -> AttemptEnd {
    let work_dir = launch.document.work_dir.clone();
    if let Err(error) = fs::create_dir_all(&work_dir) {
        let hint = "Make room on the disk, or give write permission on the home folder.";
        let message = format!(
            "the working folder {} cannot be made: {error}",
            work_dir.display()
        );
        return AttemptEnd::Finished(Err(OperatorError::retry("task.work_dir", message, hint)));
    }
    let mut listener = Listener::new(shared, &launch);
    let (messages, mut received) = mpsc::channel(BACKLOG);
    let Launch {
        task,
        document,
        secrets: names,
        limits,
        program,
        cancel,
    } = launch;
    let executing = async {
        // As late as can be: what is looked up here is in memory and on the worker's stdin, and nowhere else.
        let secrets = match secrets::values(shared.config.secrets.as_ref(), &names).await {
            Ok(secrets) => secrets,
            Err(error) => return AttemptEnd::Finished(Err(error)),
        };
        let attempt = document.attempt;
        let assignment = Assignment {
            task: document,
            secrets,
        };
        let Some(program) = program else {
            return shared.inline.execute(assignment, limits, messages, cancel).await;
        };
        let reporter = Arc::clone(shared);
        let on_spawn: OnSpawn = Box::new(move |Spawned { pid, pgid, process }| {
            reporter.send(Input::Spawned {
                task,
                attempt,
                pid,
                pgid,
                process,
            });
        });
        shared
            .process
            .run(program, assignment, limits, messages, cancel, on_spawn)
            .await
    };
    tokio::pin!(executing);
    let mut open = true;
    let mut batch = Vec::new();
    let end = loop {
        tokio::select! {
            biased;
            count = received.recv_many(&mut batch, BACKLOG), if open => {
                open = count > 0;
                listener.hear(&mut batch);
            }
            end = &mut executing => break end,
        }
    };
    // What an operator's forgotten thread still says is not waited for.
    while let Ok(message) = received.try_recv() {
        batch.push(message);
    }
    listener.hear(&mut batch);
    listener.conclude(&end);
    // An empty folder goes at once; one with files may take a while.
    if fs::remove_dir(&work_dir).is_err() {
        let removed = tokio::task::spawn_blocking(move || fs::remove_dir_all(work_dir)).await;
        if let Ok(Err(error)) = removed {
            tracing::warn!(%error, "a working folder was not removed");
        }
    }
    end
}

/// Takes an attempt's messages: to its log, to listeners, to the dispatcher.
struct Listener {
    shared: Arc<Shared>,
    task: super::TaskRef,
    id: String,
    attempt: u32,
    log: LogFile,
    broken: bool,
}

impl Listener {
    fn new(shared: &Arc<Shared>, launch: &Launch) -> Self {
        let document = &launch.document;
        let log = LogFile::new(&shared.config.home, &document.run, &document.task);
        let (task, id, attempt) = (launch.task.clone(), document.task.clone(), document.attempt);
        Self {
            shared: Arc::clone(shared),
            task,
            id,
            attempt,
            log,
            broken: false,
        }
    }

    fn hear(&mut self, messages: &mut Vec<Message>) {
        if messages.is_empty() {
            return;
        }
        for message in messages.drain(..) {
            let (run, task) = (self.task.run.to_string(), self.id.clone());
            match message {
                Message::Log { level, message } => self.line(level, message),
                Message::Progress { done, total, unit } => {
                    drop(self.shared.events.send(EngineEvent::Progress {
                        run,
                        task,
                        done,
                        total,
                        unit,
                    }));
                }
                Message::Metric { name, value, step } => {
                    let at = self.shared.now();
                    let (points, at_step) = (
                        (run.clone(), task.clone(), name.clone()),
                        step.map(u64::cast_signed),
                    );
                    let (r, t, n) = points;
                    let point = MetricPoint {
                        run: r,
                        task: t,
                        name: n,
                        step: at_step,
                        value,
                        at,
                    };
                    self.shared.send(Input::Metric {
                        task: self.task.clone(),
                        point,
                    });
                    drop(self.shared.events.send(EngineEvent::Metric {
                        run,
                        task,
                        name,
                        value,
                        step,
                    }));
                }
                // The rest is the executor's.
                _ => {}
            }
        }
        self.flush();
    }

    /// The attempt's failure is the last line of its log.
    fn conclude(&mut self, end: &AttemptEnd) {
        let words = match end {
            AttemptEnd::Finished(Ok(_)) => return,
            AttemptEnd::Finished(Err(error)) => format!("{error} ({})", error.hint),
            AttemptEnd::TimedOut => "the attempt took longer than its `timeout:`".to_owned(),
            AttemptEnd::Cancelled => "the attempt was cancelled".to_owned(),
            AttemptEnd::Crashed { description } => format!("the worker crashed: {description}"),
        };
        self.line(Level::Error, words);
        self.flush();
    }

    fn line(&mut self, level: Level, message: String) {
        let mut line = LogLine {
            time: self.shared.now(),
            attempt: self.attempt,
            level,
            message,
        };
        let written = self.log.write(&mut line);
        self.complain(written);
        let (run, task) = (self.task.run.to_string(), self.id.clone());
        drop(self.shared.events.send(EngineEvent::Log { run, task, line }));
    }

    fn flush(&mut self) {
        let flushed = self.log.flush();
        self.complain(flushed);
    }

    /// A log that cannot be written stops no task; that is said once.
    fn complain(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result
            && !std::mem::replace(&mut self.broken, true)
        {
            tracing::warn!(task = self.id, %error, "the task's log cannot be written");
        }
    }
}

/// The working folder of an attempt.
pub fn work_dir(home: &std::path::Path, run: &str, task: &str, attempt: u32) -> std::path::PathBuf {
    let folder = home
        .join("work")
        .join(format!("{}-{}-{attempt}", slug(run), slug(task)));
    std::path::absolute(&folder).unwrap_or(folder)
}
