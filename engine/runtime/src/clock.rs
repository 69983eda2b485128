//! Time and ids, handed in so that schedules, backoff and crashes are tested deterministically.

use std::{
    sync::Mutex,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;
use ulid::Ulid;

/// Where the engine gets time and ids from.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// A new id, greater than all before it.
    fn id(&self) -> String;
    /// Returns once it is `until` or later.
    async fn sleep_until(&self, until: Timestamp);
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock {
    ids: Mutex<Option<Ulid>>,
}

impl SystemClock {
    /// The machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn id(&self) -> String {
        let mut last = self.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let fresh = Ulid::from_datetime(SystemTime::now());
        let next = match *last {
            // Two ids of one millisecond keep their order.
            Some(before) if before >= fresh => before.increment().unwrap_or(fresh),
            _ => fresh,
        };
        *last = Some(next);
        next.to_string()
    }

    async fn sleep_until(&self, until: Timestamp) {
        loop {
            let left = until.duration_since(Timestamp::now());
            match Duration::try_from(left) {
                Ok(left) if !left.is_zero() => tokio::time::sleep(left.min(Duration::from_secs(3600))).await,
                _ => return,
            }
        }
    }
}

/// A clock that only moves when told to, with ids counted from a seed.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
    ids: Mutex<u128>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let millis = u128::try_from(now.as_millisecond()).unwrap_or_default();
        Self {
            now: watch::Sender::new(now),
            ids: Mutex::new(millis << 80),
        }
    }

    /// Moves it forward and wakes who waited for that.
    pub fn advance(&self, by: Duration) {
        self.now
            .send_modify(|now| *now = now.checked_add(by).unwrap_or(*now));
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn id(&self) -> String {
        let mut ids = self.ids.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *ids += 1;
        Ulid(*ids).to_string()
    }

    async fn sleep_until(&self, until: Timestamp) {
        let mut now = self.now.subscribe();
        // An error means that the clock is gone: then nothing will ever be due.
        if now.wait_for(|now| *now >= until).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
