//! Names and references: `articles`, `articles@12`, `articles@latest`, `twin@production`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::StoreError;

/// The name of a dataset or model: 1 to 128 of `a-z 0-9 _ - .`, starting with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`StoreError::InvalidName`] when a character or the length is not allowed.
    pub fn new(text: impl Into<String>) -> Result<Self, StoreError> {
        let text = text.into();
        let first_ok = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let rest_ok = text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.'));
        if first_ok && rest_ok && text.len() <= 128 && !text.contains("..") {
            Ok(Self(text))
        } else {
            Err(StoreError::InvalidName { name: text })
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl TryFrom<String> for Name {
    type Error = StoreError;
    fn try_from(text: String) -> Result<Self, StoreError> {
        Self::new(text)
    }
}

/// Which version of a dataset or model is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// The highest version.
    Latest,
    /// One version by number, from 1.
    Number(u64),
    /// A tag of a dataset, or an alias of a model.
    Label(String),
}

/// `name`, `name@latest`, `name@12` or `name@label`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The dataset's or model's name.
    pub name: Name,
    /// Which of its versions.
    pub selector: Selector,
}

impl FromStr for Reference {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let (name, selector) = text.split_once('@').unwrap_or((text, "latest"));
        let selector = match selector {
            "latest" => Selector::Latest,
            digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => digits
                .parse()
                .map(Selector::Number)
                .map_err(|_| StoreError::InvalidName {
                    name: text.to_owned(),
                })?,
            label => Selector::Label(Name::new(label)?.into()),
        };
        Ok(Self {
            name: Name::new(name)?,
            selector,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Latest => write!(f, "{}@latest", self.name),
            Selector::Number(n) => write!(f, "{}@{n}", self.name),
            Selector::Label(label) => write!(f, "{}@{label}", self.name),
        }
    }
}

/// One exact version, with the hash of its content: what lineage and cache keys are made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VersionId {
    /// The dataset's or model's name.
    pub name: Name,
    /// Its version, from 1.
    pub version: u64,
    /// blake3 of the logical content, in hex.
    pub hash: String,
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}
