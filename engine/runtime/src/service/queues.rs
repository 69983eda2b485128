//! How the queues do that DAGs listen to, as whoever listens to them tells.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{QueueSource, QueueState, Service, TriggerStatus};
use crate::triggers::Condition;

/// What is known of each queue.
pub(super) type Queues = Mutex<BTreeMap<QueueSource, QueueState>>;

impl Service {
    /// Notes that a queue is connected (`None`), or why it is not, in words that hold no secret.
    pub fn note_queue(&self, source: &QueueSource, error: Option<String>) {
        let connected = error.is_none();
        let mut known = self.known_queues();
        let since = match known.get(source) {
            Some(old) if old.connected == connected => old.since,
            _ => self.inner.engine.now(),
        };
        let state = QueueState {
            connected,
            error,
            since,
        };
        known.insert(source.clone(), state);
    }

    /// Forgets the queues that nobody listens to any more.
    pub fn keep_queues(&self, wanted: &[QueueSource]) {
        self.known_queues().retain(|source, _| wanted.contains(source));
    }

    /// The queues of which something is known, by name.
    #[must_use]
    pub fn queue_states(&self) -> Vec<(QueueSource, QueueState)> {
        let known = self.known_queues();
        known
            .iter()
            .map(|(source, state)| (source.clone(), state.clone()))
            .collect()
    }

    /// Puts what is known of its queue beside a trigger that listens to one.
    pub(super) fn with_queue(&self, mut status: TriggerStatus) -> TriggerStatus {
        let condition = serde_json::from_value::<Condition>(status.condition.clone());
        if let Ok(Condition::Queue(queue)) = condition {
            let source = QueueSource {
                name: queue.name,
                url: queue.url,
            };
            status.queue = self.known_queues().get(&source).cloned();
        }
        if let Some(lost) = status.queue.as_ref().and_then(QueueState::lost) {
            status.would_take = format!("{lost} {}", status.would_take);
        }
        status
    }

    fn known_queues(&self) -> MutexGuard<'_, BTreeMap<QueueSource, QueueState>> {
        self.inner.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
