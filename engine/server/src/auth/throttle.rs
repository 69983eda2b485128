//! Wrong passwords cost time: after five, a minute; by user and by address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::StatusCode;

use crate::http::problem::{Answer, Problem};

/// Failures before the door closes.
const MOST: u32 = 5;
/// Failures before it closes for an address, whichever users it tries.
const MOST_OF_ADDRESS: u32 = 30;
/// How long it stays closed, and failures count.
const CLOSED: Duration = Duration::from_secs(60);
/// Entries that are remembered.
const MOST_ENTRIES: usize = 10_000;

/// Counts failed logins.
#[derive(Default)]
pub struct Throttle {
    failures: Mutex<HashMap<String, (u32, Instant)>>,
}

impl Throttle {
    /// Whether another try is allowed.
    ///
    /// # Errors
    /// `auth.throttled`.
    pub fn check(&self, user: &str, from: IpAddr) -> Answer<()> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |key: &str, most: u32| {
            failures
                .get(key)
                .is_some_and(|(count, last)| *count >= most && last.elapsed() < CLOSED)
        };
        if over(&of_user(user, from), MOST) || over(&from.to_string(), MOST_OF_ADDRESS) {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "auth.throttled",
                "too many wrong passwords",
                "Wait a minute.",
            ));
        }
        Ok(())
    }

    /// A wrong password.
    pub fn failed(&self, user: &str, from: IpAddr) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST_ENTRIES {
            failures.retain(|_, (_, last)| last.elapsed() < CLOSED);
        }
        for key in [of_user(user, from), from.to_string()] {
            let entry = failures.entry(key).or_insert((0, Instant::now()));
            if entry.1.elapsed() >= CLOSED {
                entry.0 = 0;
            }
            *entry = (entry.0 + 1, Instant::now());
        }
    }

    /// A right one.
    pub fn succeeded(&self, user: &str, from: IpAddr) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&of_user(user, from));
    }
}

fn of_user(user: &str, from: IpAddr) -> String {
    format!("{from} {}", user.chars().take(64).collect::<String>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn five_wrong_passwords_close_the_door_for_that_user_alone() {
        let (throttle, from) = (Throttle::default(), IpAddr::from([127, 0, 0, 1]));
        for _ in 0..MOST {
            throttle.check("ada", from).unwrap();
            throttle.failed("ada", from);
        }
        assert_eq!(throttle.check("ada", from).unwrap_err().code, "auth.throttled");
        throttle.check("bob", from).unwrap();
        throttle.succeeded("ada", from);
        throttle.check("ada", from).unwrap();
    }
}
