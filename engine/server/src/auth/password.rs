//! Passwords: argon2id.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::http::problem::{Answer, Problem};

/// Shortest password in characters.
const SHORTEST: usize = 10;
/// Longest password in bytes: hashing must not become a way to keep the server busy.
const LONGEST: usize = 1024;

/// Passwords that are hashed at the same time: each takes 19 MiB and a core. The others wait.
const AT_ONCE: usize = 3;

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// A password as it is stored. Slow on purpose.
///
/// # Errors
/// `auth.weak_password`.
pub async fn hash(password: String) -> Answer<String> {
    in_place(move || hash_now(&password)).await?
}

/// Whether it is the one. Without a stored hash the same work is done, so that the time does not tell whether there is
/// such a user.
///
/// # Errors
/// `server.internal`.
pub async fn verify(password: String, stored: Option<String>) -> Answer<bool> {
    in_place(move || verify_now(&password, stored.as_deref())).await
}

/// Does work off the async threads, once there is a place for it.
async fn in_place<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    let place = PLACES.acquire().await.map_err(Problem::internal)?;
    let working = tokio::task::spawn_blocking(move || {
        // Held until the work is done, also where nobody waits for it any more.
        let _place = place;
        work()
    });
    working.await.map_err(Problem::internal)
}

fn hash_now(password: &str) -> Answer<String> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(Problem::invalid(
            "auth.weak_password",
            format!("a password has {SHORTEST} characters or more"),
            "Choose a longer one, for instance four words.",
        ));
    }
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|hash| hash.to_string()).map_err(Problem::internal)
}

fn verify_now(password: &str, stored: Option<&str>) -> bool {
    if password.len() > LONGEST {
        return false;
    }
    match stored {
        Some(stored) => Argon2::default()
            .verify_password(password.as_bytes(), stored)
            .is_ok(),
        None => {
            // The result is of no use; the time that it took is.
            let _ = Argon2::default().hash_password(password.as_bytes());
            false
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn only_the_right_password_fits() {
        let stored = hash_now("correct horse battery").unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(verify_now("correct horse battery", Some(&stored)));
        assert!(!verify_now("correct horse batterz", Some(&stored)));
        assert!(!verify_now("anything at all", None));
        assert!(!verify_now("anything at all", Some("no hash")));
    }

    #[test]
    fn short_and_huge_passwords_are_refused() {
        assert_eq!(hash_now("short").unwrap_err().code, "auth.weak_password");
        assert_eq!(
            hash_now(&"x".repeat(2000)).unwrap_err().code,
            "auth.weak_password"
        );
    }

    #[tokio::test]
    async fn few_are_hashed_at_once() {
        static NOW: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let work = || {
            let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
            MOST.fetch_max(now, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(2));
            NOW.fetch_sub(1, Ordering::SeqCst);
        };
        let all = futures::future::join_all((0..40).map(|_| in_place(work))).await;
        assert!(all.iter().all(Result::is_ok));
        assert!(MOST.load(Ordering::SeqCst) <= AT_ONCE);
    }
}
