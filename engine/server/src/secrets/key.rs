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
    let mut fresh = [0_u8; 32];
    rand::rng().fill_bytes(&mut fresh);
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(mut file) => {
            file.write_all(&fresh)
                .and_then(|()| file.sync_all())
                .map_err(unusable)?;
            Ok(fresh)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
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
        Err(error) => Err(unusable(error)),
    }
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
