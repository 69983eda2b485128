//! Wrong passwords cost time: after five, a minute; by user and by address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::StatusCode;

use crate::http::{
    problem::{Answer, Problem},
    rate::network,
};

/// Failures before the door closes.
const MOST: u32 = 5;
/// Failures before it closes for an address, whichever users it tries.
const MOST_OF_ADDRESS: u32 = 30;
/// How long it stays closed, and failures count.
const CLOSED: Duration = Duration::from_secs(60);
/// Entries that are remembered.
const MOST_ENTRIES: usize = 10_000;

/// Counts failed logins, and those that are not decided yet.
#[derive(Default)]
pub struct Throttle {
    failures: Mutex<HashMap<String, (u32, Instant)>>,
}

impl Throttle {
    /// Counts a try as failed before its password is looked at, so that tries at the same time are no way past;
    /// [`Self::succeeded`] takes it back.
    ///
    /// # Errors
    /// `auth.throttled`.
    pub fn start(&self, user: &str, from: IpAddr) -> Answer<()> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys(user, from);
        let over = |(key, most): &(String, u32)| {
            failures
                .get(key)
                .is_some_and(|(count, last)| count >= most && last.elapsed() < CLOSED)
        };
        if keys.iter().any(over) {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "auth.throttled",
                "too many wrong passwords",
                "Wait a minute.",
            ));
        }
        if failures.len() + keys.len() > MOST_ENTRIES {
            failures.retain(|_, (_, last)| last.elapsed() < CLOSED);
        }
        for (key, _) in keys {
            if failures.len() >= MOST_ENTRIES
                && !failures.contains_key(&key)
                && let Some(oldest) = oldest(&failures)
            {
                failures.remove(&oldest);
            }
            let entry = failures.entry(key).or_insert((0, Instant::now()));
            if entry.1.elapsed() >= CLOSED {
                entry.0 = 0;
            }
            *entry = (entry.0 + 1, Instant::now());
        }
        Ok(())
    }

    /// A right password: the user's failures are forgotten, the address's but this try stay.
    pub fn succeeded(&self, user: &str, from: IpAddr) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let [(of_user, _), (of_address, _)] = keys(user, from);
        failures.remove(&of_user);
        if let Some((count, _)) = failures.get_mut(&of_address) {
            *count = count.saturating_sub(1);
        }
    }
}

/// What a try counts for, with the number that closes the door.
fn keys(user: &str, from: IpAddr) -> [(String, u32); 2] {
    let from = network(from);
    let user = user.chars().take(64).collect::<String>();
    [
        (format!("{from} {user}"), MOST),
        (from.to_string(), MOST_OF_ADDRESS),
    ]
}

fn oldest(failures: &HashMap<String, (u32, Instant)>) -> Option<String> {
    let oldest = failures.iter().min_by_key(|(_, (_, last))| *last);
    oldest.map(|(key, _)| key.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn five_wrong_passwords_close_the_door_for_that_user_alone() {
        let (throttle, from) = (Throttle::default(), IpAddr::from([127, 0, 0, 1]));
        for _ in 0..MOST {
            throttle.start("ada", from).unwrap();
        }
        assert_eq!(throttle.start("ada", from).unwrap_err().code, "auth.throttled");
        throttle.start("bob", from).unwrap();
        throttle.succeeded("ada", from);
        throttle.start("ada", from).unwrap();
    }

    #[test]
    fn right_passwords_close_no_door() {
        let (throttle, from) = (Throttle::default(), IpAddr::from([127, 0, 0, 1]));
        for _ in 0..3 * MOST_OF_ADDRESS {
            throttle.start("ada", from).unwrap();
            throttle.succeeded("ada", from);
        }
        for user in 0..MOST_OF_ADDRESS {
            throttle.start(&user.to_string(), from).unwrap();
        }
        assert!(
            throttle.start("ada", from).is_err(),
            "the address has had its tries"
        );
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let throttle = Throttle::default();
        for address in 0..u32::try_from(MOST_ENTRIES / 2).unwrap() + 20 {
            let _ = throttle.start("ada", IpAddr::from(address.to_be_bytes()));
        }
        assert!(throttle.failures.lock().unwrap().len() <= MOST_ENTRIES);
    }
}
