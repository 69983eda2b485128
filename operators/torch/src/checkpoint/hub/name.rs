//! Names of models on the hub.

use std::fmt;

/// The revision that a name without one means.
const MAIN: &str = "main";

/// `owner/name@revision`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubName {
    owner: String,
    name: String,
    revision: Option<String>,
}

impl HubName {
    /// Reads `owner/name`, `owner/name@revision`, or `hf:name` for the few models without an owner. `None` where a
    /// part could not be one, so that no part ever leaves the cache's folder.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (marked, text) = match text.strip_prefix("hf:") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (path, revision) = match text.split_once('@') {
            Some((path, revision)) => (path, Some(revision)),
            None => (text, None),
        };
        let (owner, name) = match path.split_once('/') {
            Some(pair) => pair,
            None if marked => ("", path),
            None => return None,
        };
        let parts = (owner.is_empty() || is_part(owner)) && is_part(name);
        let known = revision.is_none_or(|revision| revision.split('/').all(is_part));
        (parts && known && (marked || !owner.is_empty())).then(|| Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            revision: revision.map(str::to_owned),
        })
    }

    /// The owner; empty for models without.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name without the owner.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Branch, tag or commit.
    #[must_use]
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(MAIN)
    }

    /// `owner/name`, as other tools take it.
    #[must_use]
    pub fn plain(&self) -> String {
        match self.owner.as_str() {
            "" => self.name.clone(),
            owner => format!("{owner}/{}", self.name),
        }
    }

    /// The same model at a commit.
    #[must_use]
    pub fn at(&self, commit: String) -> Self {
        Self {
            revision: Some(commit),
            ..self.clone()
        }
    }
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.owner.is_empty() {
            f.write_str("hf:")?;
        }
        f.write_str(&self.plain())?;
        match &self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}

/// Whether it is a commit's hash.
pub fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_part(text: &str) -> bool {
    (1..=96).contains(&text.len())
        && !text.starts_with('.')
        && !text.contains("..")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}
