//! Where notifications go.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the words of the API")]
pub enum Wanted {
    /// A run failed.
    RunFailed,
    /// A task waits for a person.
    ApprovalWanted,
    /// A dataset is older than it may be.
    FreshnessMissed,
}

/// A destination: an address and what is told there.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Destination {
    /// What is told.
    pub events: Vec<Wanted>,
    /// Where.
    #[serde(flatten)]
    pub address: Address,
    /// Whether an address of a private network may be asked; loopback and link-local ones count as such.
    #[serde(default)]
    pub allow_private: bool,
}

/// An address. Whatever is secret may be given as `secret:NAME`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Address {
    /// POST of a JSON document, signed where there is a secret: `X-Twinloom-Signature: sha256=` and the HMAC-SHA256 of
    /// `TIMESTAMP.BODY`, with `X-Twinloom-Timestamp`.
    Webhook {
        /// The URL, or `secret:NAME`.
        url: String,
        /// What signs, as `secret:NAME`.
        secret: Option<String>,
    },
    /// A Slack-compatible incoming webhook.
    Slack {
        /// The URL, as a rule `secret:NAME`, since whoever knows it may post.
        url: String,
    },
    /// E-mail by SMTP, with TLS unless said otherwise.
    Email {
        /// The server.
        host: String,
        /// Its port; 587 (STARTTLS) unless given; 465 is TLS from the start. Without TLS it is 25 unless given.
        port: Option<u16>,
        /// Whether the server must speak TLS.
        #[serde(default)]
        tls: MailTls,
        /// The user to log in as.
        user: Option<String>,
        /// The password, as `secret:NAME`.
        password: Option<String>,
        /// The sender.
        from: String,
        /// The receivers.
        to: Vec<String>,
    },
}

/// Whether mail goes by TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// Always; a server without it gets nothing.
    #[default]
    Required,
    /// Never: for a relay within one's own network. Only with `allow_private`, and without a password.
    None,
}

impl Destination {
    /// What would be sent in the clear and must not be.
    pub fn in_the_clear(&self) -> Option<&'static str> {
        match &self.address {
            Address::Email {
                tls: MailTls::None, ..
            } if !self.allow_private => Some("mail goes without TLS only where `allow_private` is set"),
            Address::Email {
                tls: MailTls::None,
                password: Some(_),
                ..
            } => Some("a password is not sent without TLS"),
            _ => None,
        }
    }
}

impl Address {
    /// Values that must be references to secrets and are not.
    pub fn plain_secrets(&self) -> Vec<&'static str> {
        let plain =
            |value: &Option<String>| value.as_ref().is_some_and(|value| !value.starts_with("secret:"));
        match self {
            Self::Webhook { secret, .. } if plain(secret) => vec!["secret"],
            Self::Slack { url } if !url.starts_with("secret:") => vec!["url"],
            Self::Email { password, .. } if plain(password) => vec!["password"],
            _ => Vec::new(),
        }
    }
}
