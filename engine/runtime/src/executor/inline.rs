//! Attempts in the scheduler itself, for light operators.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{Notify, mpsc},
    time,
};
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{Assignment, Level, Message, OperatorError, Outcome, Registry, Reporter, execute};
use twinloom_store::FeatureStore;

use super::{AttemptEnd, Executor, Limits};

/// How long an operator has to notice that it is cancelled; after that it is left behind.
const GRACE: Duration = Duration::from_secs(5);
/// Messages that may wait to be taken. More log lines and progress are dropped and counted; metrics are kept.
const BACKLOG: usize = 10_000;

/// Runs operators of a registry in this process. Of the limits only the time holds here.
#[derive(Clone)]
pub struct InlineExecutor {
    registry: Arc<Registry>,
    store: FeatureStore,
    grace: Duration,
}

impl InlineExecutor {
    /// Operators of `registry` on an open store.
    #[must_use]
    pub fn new(registry: Arc<Registry>, store: FeatureStore) -> Self {
        Self {
            registry,
            store,
            grace: GRACE,
        }
    }

    /// With another time for operators to notice that they are cancelled (5 s).
    #[must_use]
    pub fn with_grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }
}

#[async_trait]
impl Executor for InlineExecutor {
    async fn execute(
        &self,
        assignment: Assignment,
        limits: Limits,
        messages: mpsc::Sender<Message>,
        cancel: CancellationToken,
    ) -> AttemptEnd {
        let backlog = Arc::new(Backlog::default());
        let (reporter, waiting) = backlog.reporter();
        let finished = Notify::new();
        let mut forward = pin!(backlog.forward(waiting, messages, &finished));
        // A token of its own: the time limit, too, cancels the operator, but nothing else that hangs on `cancel`.
        let token = cancel.child_token();
        let operator = execute(
            &self.registry,
            assignment,
            Some(self.store.clone()),
            reporter,
            token.clone(),
        );
        let mut watch = pin!(watch(operator, limits.timeout, self.grace, &cancel, &token));
        let mut forwarded = false;
        let end = loop {
            tokio::select! {
                end = &mut watch => break end,
                () = &mut forward, if !forwarded => forwarded = true,
            }
        };
        // All that was said goes out before the end; what detached parts of the operator say later does not.
        finished.notify_one();
        if !forwarded {
            forward.await;
        }
        end
    }
}

/// Waits for the operator, the time limit or the wish to stop, whichever comes first.
async fn watch(
    operator: impl Future<Output = Result<Outcome, OperatorError>>,
    timeout: Option<Duration>,
    grace: Duration,
    cancel: &CancellationToken,
    token: &CancellationToken,
) -> AttemptEnd {
    let mut operator = pin!(operator);
    let limit = async {
        match timeout {
            Some(timeout) => time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    let end = tokio::select! {
        biased;
        result = &mut operator => {
            // It may have heard of the cancellation before we did.
            let stopped = result.is_err() && cancel.is_cancelled();
            return if stopped { AttemptEnd::Cancelled } else { AttemptEnd::Finished(result) };
        }
        () = cancel.cancelled() => AttemptEnd::Cancelled,
        () = limit => AttemptEnd::TimedOut,
    };
    token.cancel();
    // Its result does not count any more, and an operator that does not listen must not hold the scheduler.
    let _ = time::timeout(grace, operator).await;
    end
}

/// Counts what waits between an operator, which may not block, and the taker of its messages, who may.
#[derive(Default)]
struct Backlog {
    waiting: AtomicUsize,
    dropped: AtomicUsize,
}

impl Backlog {
    fn reporter(self: &Arc<Self>) -> (Reporter, mpsc::UnboundedReceiver<Message>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let backlog = Arc::clone(self);
        let reporter = Reporter::new(move |message| {
            let droppable = matches!(message, Message::Log { .. } | Message::Progress { .. });
            if droppable && backlog.waiting.load(Ordering::Relaxed) >= BACKLOG {
                backlog.dropped.fetch_add(1, Ordering::Relaxed);
            } else if sender.send(message).is_ok() {
                backlog.waiting.fetch_add(1, Ordering::Relaxed);
            }
        });
        (reporter, receiver)
    }

    async fn forward(
        &self,
        mut waiting: mpsc::UnboundedReceiver<Message>,
        messages: mpsc::Sender<Message>,
        finished: &Notify,
    ) {
        loop {
            let message = tokio::select! {
                biased;
                message = waiting.recv() => message,
                () = finished.notified() => {
                    waiting.close();
                    continue;
                }
            };
            let Some(message) = message else { break };
            // More may have been added than is counted so far, so this may pass below zero and come back.
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            if messages.send(message).await.is_err() {
                return;
            }
        }
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            let message = format!("{dropped} log lines and progress reports came too fast and were left out");
            let _ = messages
                .send(Message::Log {
                    level: Level::Warn,
                    message,
                })
                .await;
        }
    }
}
