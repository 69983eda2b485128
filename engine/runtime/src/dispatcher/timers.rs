//! What is due when.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Dispatcher, TaskRef};

/// Something to do at a time.
pub enum Timer {
    /// The next attempt of a task.
    Retry(TaskRef),
    /// A question is answered by itself.
    Expire(TaskRef),
    /// Look into the database.
    Poll,
}

/// Timers in order. One that is no longer wanted is told by the state it finds.
#[derive(Default)]
pub struct Timers {
    due: BTreeMap<(Timestamp, u64), Timer>,
    count: u64,
}

impl Timers {
    /// Sets one.
    pub fn set(&mut self, at: Timestamp, timer: Timer) {
        self.count += 1;
        self.due.insert((at, self.count), timer);
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the next one that is due.
    fn take(&mut self, now: Timestamp) -> Option<Timer> {
        let entry = self.due.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }
}

impl Dispatcher {
    /// Does what is due.
    pub fn fire_timers(&mut self) {
        let now = self.core.shared.now();
        while let Some(timer) = self.core.timers.take(now) {
            match timer {
                Timer::Retry(task) => self.with_task(&task, |core, run, index| core.retry(run, index)),
                Timer::Expire(task) => self.with_task(&task, |core, run, index| core.expire(run, index)),
                Timer::Poll => self.poll(),
            }
        }
    }
}
