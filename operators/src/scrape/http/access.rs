//! How an address may be asked: where it may lie, and with which headers.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use twinloom_sdk::{Context, OperatorError};
use url::{Host, Url};

use super::parse;

/// Parts of a header's name that say that its value is nobody else's business.
const SECRET_NAMES: [&str; 5] = ["auth", "cookie", "token", "key", "secret"];

/// How an address may be asked.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Whether it may be of this machine or a private network.
    pub allow_private: bool,
    /// What is sent to the host that the source names.
    pub headers: HeaderMap,
}

impl Access {
    /// Without headers.
    #[must_use]
    pub fn open(allow_private: bool) -> Self {
        Self {
            allow_private,
            ..Self::default()
        }
    }

    /// With a source's headers, of which a value may be `secret:NAME`.
    ///
    /// # Errors
    /// `scrape.header`, `scrape.secret`, `secret.missing`. None holds a value.
    pub fn new(
        context: &Context,
        address: &str,
        allow_private: bool,
        headers: &BTreeMap<String, String>,
    ) -> Result<Self, OperatorError> {
        let mut access = Self::open(allow_private);
        if headers.is_empty() {
            return Ok(access);
        }
        let url = parse(address)?;
        for (name, text) in headers {
            let wrong = |what: &str| {
                OperatorError::config(
                    "scrape.header",
                    format!(
                        "`headers`: the {what} of `{}` is none of a header",
                        name.escape_debug()
                    ),
                    "Write a name such as `Authorization`, and a value of one line.",
                )
            };
            let key = HeaderName::try_from(name.as_str()).map_err(|_| wrong("name"))?;
            let confidential = SECRET_NAMES.iter().any(|part| key.as_str().contains(part));
            let value = if confidential || text.starts_with("secret:") {
                secret(context, name, text, &url)?
            } else {
                text.clone()
            };
            let mut value = HeaderValue::try_from(value).map_err(|_| wrong("value"))?;
            value.set_sensitive(true);
            access.headers.insert(key, value);
        }
        Ok(access)
    }
}

/// The value of a secret that is sent to a host.
///
/// # Errors
/// `scrape.secret` where the text is none, or it would go over the network in clear; `secret.missing`.
pub fn secret(context: &Context, key: &str, text: &str, url: &Url) -> Result<String, OperatorError> {
    let loopback = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "https" && !loopback {
        return Err(OperatorError::config(
            "scrape.secret",
            format!(
                "`{key}` is confidential, and the address is not https: everybody on the way could read it"
            ),
            "Give an https address.",
        ));
    }
    context.secret_only("scrape.secret", key, text)
}
