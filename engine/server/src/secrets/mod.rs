//! Secrets by reference: from the environment, from files, or sealed in the database.
//!
//! A value goes in and is used; no answer, page or log shows one. The key that seals is a file of mode 0600 in the home
//! folder, so that a copy of the database alone opens nothing.

mod key;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use axum::http::StatusCode;
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use jiff::Timestamp;
use rand::Rng;
use twinloom_meta::{Meta, SecretRow};
use twinloom_runtime::SecretSource;
use twinloom_sdk::{OperatorError, SECRET_PREFIX as PREFIX, secrets::reference};

use crate::{
    api::secrets::SecretItem,
    http::problem::{Answer, Problem},
};

/// Longest value in bytes.
const LONGEST: usize = 64 << 10;
/// The code for a secret that is not set.
const NOT_FOUND: &str = "secret.not_found";
/// Bytes of a nonce.
const NONCE: usize = 12;

/// The secrets of a server.
pub struct Vault {
    meta: Meta,
    home: PathBuf,
    key: Mutex<Option<[u8; 32]>>,
}

impl Vault {
    /// Over a database and a home folder. The key file is made when it is first needed.
    pub fn new(meta: Meta, home: &Path) -> Self {
        Self {
            meta,
            home: home.to_owned(),
            key: Mutex::new(None),
        }
    }

    /// Names and where their values are; a name that is in several places is listed with the one that wins.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self) -> Answer<Vec<SecretItem>> {
        let mut found: BTreeMap<String, SecretItem> = BTreeMap::new();
        for row in self.meta.secrets().await? {
            let item = SecretItem {
                name: row.name.clone(),
                source: "store".to_owned(),
                updated_at: Some(row.updated_at),
                by: Some(row.by),
            };
            found.insert(row.name, item);
        }
        let plain = |name: &str, source: &str| SecretItem {
            name: name.to_owned(),
            source: source.to_owned(),
            updated_at: None,
            by: None,
        };
        for name in self.files() {
            found.insert(name.clone(), plain(&name, "file"));
        }
        for (name, _) in env::vars_os() {
            if let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) {
                found.insert(name.to_owned(), plain(name, "environment"));
            }
        }
        Ok(found.into_values().collect())
    }

    /// The value behind `secret:NAME`; other text as it is.
    ///
    /// # Errors
    /// `secret.not_found`, `secret.sealed_otherwise`.
    pub async fn resolve(&self, text: &str) -> Answer<String> {
        match text.strip_prefix("secret:") {
            Some(name) => self.get(name).await,
            None => Ok(text.to_owned()),
        }
    }

    /// A secret's value: of the environment, else of a file, else of the store.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn get(&self, name: &str) -> Answer<String> {
        check(name)?;
        if let Some(value) = env::var(format!("{PREFIX}{name}"))
            .ok()
            .filter(|value| !value.is_empty())
        {
            return Ok(value);
        }
        if let Ok(value) = fs::read_to_string(self.folder().join(name)) {
            return Ok(value.trim_end_matches(['\r', '\n']).to_owned());
        }
        let row = self.meta.secret(name).await?.ok_or_else(|| {
            Problem::not_found(
                NOT_FOUND,
                format!("the secret `{name}` is not set"),
                format!("Run `twinloom secret set {name}`, or set {PREFIX}{name} where the server runs."),
            )
        })?;
        self.open(name, &row.sealed)
    }

    /// Seals and stores a value.
    ///
    /// # Errors
    /// `secret.name`, `secret.value`.
    pub async fn put(&self, name: &str, value: &str, by: &str) -> Answer<()> {
        check(name)?;
        if value.is_empty() || value.len() > LONGEST {
            return Err(Problem::invalid(
                "secret.value",
                "a secret is empty or too long",
                format!("Give 1 to {LONGEST} bytes."),
            ));
        }
        let row = SecretRow {
            name: name.to_owned(),
            sealed: self.seal(name, value)?,
            by: by.to_owned(),
            updated_at: Timestamp::now(),
        };
        Ok(self.meta.put_secret(&row).await?)
    }

    /// Removes a stored value.
    ///
    /// # Errors
    /// `secret.not_found`.
    pub async fn delete(&self, name: &str) -> Answer<()> {
        if self.meta.delete_secret(name).await? {
            return Ok(());
        }
        Err(Problem::not_found(
            NOT_FOUND,
            format!("there is no stored secret `{name}`"),
            "Secrets of the environment and of files are removed there.",
        ))
    }

    /// A hash of what may hold passwords and secrets. Whoever has only the database cannot try guesses against it.
    ///
    /// # Errors
    /// `secret.key`.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> Answer<String> {
        let key = blake3::derive_key("twinloom 2026 fingerprint of a request", &self.key()?);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        for part in parts {
            hasher.update(part);
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    fn folder(&self) -> PathBuf {
        self.home.join("secrets")
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let names = entries.filter(|entry| entry.path().is_file());
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| check(name).is_ok()).collect()
    }

    fn key(&self) -> Answer<[u8; 32]> {
        let mut key = self.key.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match *key {
            Some(key) => Ok(key),
            None => {
                let read = key::read_or_make(&self.home.join("secret.key"))?;
                *key = Some(read);
                Ok(read)
            }
        }
    }

    fn cipher(&self) -> Answer<ChaCha20Poly1305> {
        Ok(ChaCha20Poly1305::new(&self.key()?.into()))
    }

    /// The name is authenticated with the value, so that a sealed value cannot be moved to another name.
    fn seal(&self, name: &str, value: &str) -> Answer<String> {
        let mut nonce = [0_u8; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: value.as_bytes(),
            aad: name.as_bytes(),
        };
        let sealed = self.cipher()?.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Problem::internal("a secret could not be sealed"))?;
        Ok(hex(&nonce) + &hex(&sealed))
    }

    fn open(&self, name: &str, sealed: &str) -> Answer<String> {
        let other = || {
            Problem::new(
                StatusCode::CONFLICT,
                "secret.sealed_otherwise",
                format!("the secret `{name}` was sealed under another key"),
                "Restore HOME/secret.key, or set the secret again.",
            )
        };
        let bytes = unhex(sealed)
            .filter(|bytes| bytes.len() > NONCE)
            .ok_or_else(other)?;
        let (nonce, text) = bytes.split_at(NONCE);
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| other())?;
        let payload = Payload {
            msg: text,
            aad: name.as_bytes(),
        };
        let opened = self
            .cipher()?
            .decrypt(&Nonce::from(nonce), payload)
            .map_err(|_| other())?;
        String::from_utf8(opened).map_err(|_| other())
    }
}

#[async_trait::async_trait]
impl SecretSource for Vault {
    async fn get(&self, name: &str) -> Result<Option<String>, OperatorError> {
        match Self::get(self, name).await {
            Ok(value) => Ok(Some(value)),
            Err(problem) if problem.code == NOT_FOUND => Ok(None),
            Err(problem) if problem.status == StatusCode::SERVICE_UNAVAILABLE.as_u16() => {
                Err(OperatorError::retry(&problem.code, problem.detail, problem.hint))
            }
            Err(problem) => Err(OperatorError::config(&problem.code, problem.detail, problem.hint)),
        }
    }
}

/// Names are those that a reference can hold; none of them leaves the folder of files.
fn check(name: &str) -> Answer<()> {
    if reference(&format!("secret:{name}")).is_some() {
        return Ok(());
    }
    Err(Problem::invalid(
        "secret.name",
        "this cannot be the name of a secret",
        "Use 1 to 100 of A-Z, a-z, 0-9, `_`, `-` and `.`, the first a letter, digit or `_`.",
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn vault(home: &Path) -> Vault {
        Vault::new(Meta::connect("sqlite::memory:").await.unwrap(), home)
    }

    #[tokio::test]
    async fn a_secret_is_sealed_and_bound_to_its_name() {
        let home = tempfile::tempdir().unwrap();
        let vault = vault(home.path()).await;
        vault.put("HOOK", "open sesame", "ada").await.unwrap();
        assert_eq!(vault.resolve("secret:HOOK").await.unwrap(), "open sesame");
        assert_eq!(vault.resolve("plain").await.unwrap(), "plain");
        let row = vault.meta.secrets().await.unwrap().remove(0);
        assert!(!row.sealed.contains(&hex(b"sesame")));
        let moved = SecretRow {
            name: "OTHER".to_owned(),
            ..row
        };
        vault.meta.put_secret(&moved).await.unwrap();
        assert_eq!(
            vault.get("OTHER").await.unwrap_err().code,
            "secret.sealed_otherwise"
        );
        let mode = fs::metadata(home.path().join("secret.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_fingerprint_needs_the_key_of_the_home() {
        let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let (one, two) = (vault(homes[0].path()).await, vault(homes[1].path()).await);
        let asked: [&[u8]; 2] = [b"PUT /secrets/HOOK\n", b"open sesame"];
        let print = one.fingerprint(&asked).unwrap();
        assert_eq!(print, one.fingerprint(&asked).unwrap());
        assert_eq!(print, vault(homes[0].path()).await.fingerprint(&asked).unwrap());
        assert_ne!(print, two.fingerprint(&asked).unwrap());
        assert_ne!(print, blake3::hash(&asked.concat()).to_hex().to_string());
    }

    #[tokio::test]
    async fn files_are_secrets_too_and_names_cannot_leave_the_folder() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("secrets")).unwrap();
        fs::write(home.path().join("secrets/PASS"), "from a file\n").unwrap();
        let vault = vault(home.path()).await;
        assert_eq!(vault.get("PASS").await.unwrap(), "from a file");
        assert_eq!(vault.get("../secret.key").await.unwrap_err().code, "secret.name");
        assert_eq!(vault.get("ABSENT").await.unwrap_err().code, "secret.not_found");
        assert_eq!(vault.get("..").await.unwrap_err().code, "secret.name");
        let listed = vault.list().await.unwrap();
        assert!(
            listed
                .iter()
                .any(|item| item.name == "PASS" && item.source == "file")
        );
    }
}
