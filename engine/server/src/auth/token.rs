//! Random tokens, and how they are stored: hashed, since they carry enough randomness to need no slow hash.

use rand::Rng;

/// What API tokens start with, so that scanners for leaked credentials find them.
pub const PREFIX: &str = "twl_";

/// 32 random bytes in hex.
pub fn random() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    blake3::Hash::from_bytes(bytes).to_hex().to_string()
}

/// A password that nobody can guess: 100 random bits in 20 letters and digits.
pub fn random_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789x";
    let mut bytes = [0_u8; 20];
    rand::rng().fill_bytes(&mut bytes);
    bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect()
}

/// What is stored in place of a token.
pub fn digest(token: &str) -> String {
    blake3::derive_key("twinloom 2026 stored token", token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Compares without telling by its time where they differ.
pub fn same(a: &str, b: &str) -> bool {
    blake3::hash(a.as_bytes()) == blake3::hash(b.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_random_and_stored_as_something_else() {
        let (one, two) = (random(), random());
        assert_eq!(one.len(), 64);
        assert_ne!(one, two);
        assert_ne!(digest(&one), one);
        assert_eq!(digest(&one), digest(&one));
        assert!(same(&one, &one) && !same(&one, &two));
    }
}
