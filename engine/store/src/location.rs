//! Where a store is.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// A folder or URL, with the object store's options (`endpoint`, `region`, `access_key_id`, ...).
///
/// `memory://` is a store of its own at every opening; `memory://name` is shared inside the process. Options may hold
/// secrets, so `Debug` shows their names alone; AWS_, GOOGLE_ and AZURE_ variables of the environment apply under them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreLocation {
    /// A folder, or any URL that object_store knows.
    pub url: String,
    /// Options by name.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl StoreLocation {
    /// A location without options.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            options: BTreeMap::new(),
        }
    }
}

impl fmt::Debug for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreLocation")
            .field("url", &self.public_url())
            .field("options", &self.options.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl StoreLocation {
    /// The URL without user, password and query, fit for messages.
    #[must_use]
    pub fn public_url(&self) -> String {
        match url::Url::parse(&self.url) {
            Ok(mut url) if !url.cannot_be_a_base() => {
                // Both fail only for URLs that cannot have them.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.set_query(None);
                url.set_fragment(None);
                url.to_string()
            }
            _ => self.url.clone(),
        }
    }
}
