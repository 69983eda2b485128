//! Passwords: argon2id.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};

use crate::http::problem::{Answer, Problem};

/// Shortest password in characters.
const SHORTEST: usize = 10;
/// Longest password in bytes: hashing must not become a way to keep the server busy.
const LONGEST: usize = 1024;

/// A password as it is stored. Slow on purpose: call it off the async threads.
///
/// # Errors
/// `auth.weak_password`.
pub fn hash(password: &str) -> Answer<String> {
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

/// Whether it is the one. Without a stored hash the same work is done, so that the time does not tell whether there is
/// such a user.
pub fn verify(password: &str, stored: Option<&str>) -> bool {
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
    use super::*;

    #[test]
    fn only_the_right_password_fits() {
        let stored = hash("correct horse battery").unwrap();
        assert!(stored.starts_with("$argon2id$"), "{stored}");
        assert!(verify("correct horse battery", Some(&stored)));
        assert!(!verify("correct horse batterz", Some(&stored)));
        assert!(!verify("anything at all", None));
        assert!(!verify("anything at all", Some("no hash")));
    }

    #[test]
    fn short_and_huge_passwords_are_refused() {
        assert_eq!(hash("short").unwrap_err().code, "auth.weak_password");
        assert_eq!(hash(&"x".repeat(2000)).unwrap_err().code, "auth.weak_password");
    }
}
