//! What can go wrong with triggers and with what the service is asked.

use twinloom_meta::MetaError;
use twinloom_sdk::OperatorError;

use crate::{EngineError, dags::DagsError};

/// A request of the service that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Running failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The DAG cannot be used.
    #[error(transparent)]
    Dags(#[from] DagsError),
    /// The DAG's triggers are held.
    #[error("the DAG `{name}` is paused")]
    Paused {
        /// The DAG.
        name: String,
    },
    /// Nothing of the DAG takes such a thing.
    #[error("the DAG `{name}` has no {what}")]
    NoTrigger {
        /// The DAG.
        name: String,
        /// `schedule`, `webhook`.
        what: &'static str,
    },
    /// A range ends before it starts, or holds too much.
    #[error("the range from {from} to {to} {what}")]
    Range {
        /// Its start.
        from: String,
        /// Its end.
        to: String,
        /// What is wrong with it.
        what: String,
    },
    /// The request is not signed as it must be. Says nothing about what was expected.
    #[error("the request is not signed: {reason}")]
    Unsigned {
        /// What is missing or wrong.
        reason: &'static str,
    },
    /// The same request came before.
    #[error("the request was taken before")]
    Replayed,
    /// The body cannot be taken.
    #[error("the body cannot be taken: {reason}")]
    Body {
        /// Why.
        reason: String,
    },
    /// A secret is not set.
    #[error("the secret `{name}` is not set")]
    Secret {
        /// Its name.
        name: String,
    },
    /// A secret is set and cannot be had.
    #[error("{}", .0.message)]
    SecretUnusable(OperatorError),
    /// A message of that id was taken before.
    #[error("a message with the id `{id}` was taken before")]
    KnownMessage {
        /// The id.
        id: String,
    },
}

impl From<MetaError> for ServiceError {
    fn from(error: MetaError) -> Self {
        Self::Engine(EngineError::Meta(error))
    }
}

impl From<OperatorError> for ServiceError {
    fn from(error: OperatorError) -> Self {
        Self::SecretUnusable(error)
    }
}

impl ServiceError {
    /// Stable, dotted, lower case.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Engine(error) => error.code(),
            Self::Dags(error) => error.code(),
            Self::Paused { .. } => "dag.paused",
            Self::NoTrigger { .. } => "dag.no_trigger",
            Self::Range { .. } => "backfill.range",
            Self::Unsigned { .. } => "webhook.unsigned",
            Self::Replayed => "webhook.replayed",
            Self::Body { .. } => "webhook.body",
            Self::Secret { .. } => "secret.missing",
            Self::SecretUnusable(error) => &error.code,
            Self::KnownMessage { .. } => "queue.known_message",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Engine(error) => error.hint(),
            Self::Dags(error) => error.hint().to_owned(),
            Self::Paused { .. } => "Resume it, then send the request again.".into(),
            Self::NoTrigger { what, .. } => format!("Add `{what}` below `on:` in its file."),
            Self::Range { .. } => "Give a range that ends after it starts, and take it in parts.".into(),
            Self::Unsigned { .. } => {
                "Sign `TIMESTAMP.BODY` with HMAC-SHA256 and send both headers within five minutes.".into()
            }
            Self::Replayed => "Sign a new request; each signature counts once.".into(),
            Self::Body { .. } => "Send JSON of at most 256 KiB that holds what `params:` names.".into(),
            Self::Secret { name } => format!(
                "Run `twinloom secret set {name}`, or set TWINLOOM_SECRET_{name} where the scheduler runs."
            ),
            Self::SecretUnusable(error) => error.hint.clone(),
            Self::KnownMessage { .. } => "Nothing; it is acknowledged.".into(),
        }
    }
}
