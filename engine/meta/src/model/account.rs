//! Who may use the server, and what it keeps for them. Passwords and tokens are hashed and secrets sealed before they
//! get here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRow {
    /// Unique.
    pub name: String,
    /// The password's hash, as a PHC string.
    pub password: String,
    /// Words of the server.
    pub roles: Vec<String>,
    /// Whether the user cannot log in.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the user last logged in.
    pub last_login_at: Option<Timestamp>,
}

/// An API token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRow {
    /// ULID.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// The token's hash.
    pub hash: String,
    /// Words of the server.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// A session of the web UI.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRow {
    /// Hash of the cookie's value.
    pub hash: String,
    /// Whose it is.
    pub user: String,
    /// What writes must carry.
    pub csrf: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The answer to a write, kept so that the same request again gets it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Who asked, and the key that they gave.
    pub key: String,
    /// Hash of what was asked.
    pub fingerprint: String,
    /// When it was asked; while it is under way, when its server last said so.
    pub at: Timestamp,
    /// The engine of the server that answers it.
    pub owner: String,
    /// The status; none while the first request is under way.
    pub status: Option<u16>,
    /// The body's type.
    pub content_type: Option<String>,
    /// The body.
    pub body: Option<String>,
}

/// A secret, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// As in `secret:NAME`.
    pub name: String,
    /// Nonce and ciphertext, in hex.
    pub sealed: String,
    /// Who set it.
    pub by: String,
    /// When.
    pub updated_at: Timestamp,
}

/// Where notifications go, and how far they have got.
#[derive(Debug, Clone, PartialEq)]
pub struct DestinationRow {
    /// Unique.
    pub name: String,
    /// Kind, address, which events; secrets are references.
    pub config: Value,
    /// The last event that was dealt with.
    pub cursor: i64,
    /// Failures since the last success.
    pub tries: u32,
    /// The last failure.
    pub last_error: Option<String>,
    /// Nothing is sent before.
    pub next_at: Option<Timestamp>,
    /// When the configuration was last changed.
    pub updated_at: Timestamp,
}

/// How far a destination has got. It is noted only where it had got as far as `from`, and no other server is at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationAdvance {
    /// Its name.
    pub name: String,
    /// Who says so.
    pub owner: String,
    /// When.
    pub at: Timestamp,
    /// The last event that was dealt with before.
    pub from: i64,
    /// The last event that is dealt with now.
    pub cursor: i64,
    /// Failures since the last success.
    pub tries: u32,
    /// The last failure.
    pub last_error: Option<String>,
    /// Nothing is sent before.
    pub next_at: Option<Timestamp>,
    /// Only while its configuration is still that of this time.
    pub unless_changed_since: Option<Timestamp>,
}
