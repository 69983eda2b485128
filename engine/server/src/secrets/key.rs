//! The key file: 32 random bytes that only the owner may read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rand::Rng;

use crate::http::problem::{Answer, Problem};

/// Reads the key, or makes it.
///
/// # Errors
/// `secret.key` where the file cannot be used, or others may read it.
pub fn read_or_make(path: &Path) -> Answer<[u8; 32]> {
    let refused = |reason: String, hint: &str| {
        Problem::new(
            axum::http::StatusCode::CONFLICT,
            "secret.key",
            format!("the key file cannot be used: {reason}"),
            hint,
        )
    };
    let unusable = |error: io::Error| refused(error.to_string(), "Check the permissions of the home folder.");
    match make(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(unusable(error)),
        _ => {}
    }
    let mode = fs::metadata(path).map_err(unusable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(refused(
            "others may read it".to_owned(),
            "chmod 600 HOME/secret.key",
        ));
    }
    let bytes = fs::read(path).map_err(unusable)?;
    bytes.try_into().map_err(|_| {
        refused(
            "it does not hold 32 bytes".to_owned(),
            "Restore it from a backup.",
        )
    })
}

/// Makes the file where it is not there. It gets its name when it is whole: another process may read it at any time.
fn make(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut fresh = [0_u8; 32];
    rand::rng().fill_bytes(&mut fresh);
    let draft = path.with_extension(format!("key.{:08x}", rand::rng().next_u32()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let made = file
        .write_all(&fresh)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    made
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_key_is_made_once_and_must_be_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.key");
        let key = read_or_make(&path).unwrap();
        assert_eq!(read_or_make(&path).unwrap(), key);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read_or_make(&path).unwrap_err().code, "secret.key");
    }
}
