//! Why a server does not start.

use std::{io, net::SocketAddr};

use twinloom_meta::MetaError;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is taken or not one of this machine.
    #[error("{address} cannot be listened on: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Others could reach it, and nobody has to log in.
    #[error("{at} can be reached by others, and there is no user who could log in")]
    NeedsLogin {
        /// The address, or the name that others ask for.
        at: String,
    },
    /// The address of the OpenTelemetry collector is wrong. It is not repeated: it may hold a password.
    #[error("traces cannot be sent to that collector: {reason}")]
    Otlp {
        /// Why.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The API's document cannot be made.
    #[error("the API's document cannot be made: {0}")]
    Document(String),
}

impl ServerError {
    /// Stable and dotted.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Bind { .. } => "server.bind",
            Self::NeedsLogin { .. } => "server.needs_login",
            Self::Otlp { .. } => "server.otlp",
            Self::Meta(error) => error.code(),
            Self::Document(_) => "server.document",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Bind { .. } => "Choose another --port, or stop the process that has it.".to_owned(),
            Self::NeedsLogin { .. } => {
                "Make an admin first: `twinloom user create NAME --role admin`; or listen on 127.0.0.1 without --host-name."
                    .to_owned()
            }
            Self::Otlp { .. } => "Write it as http://127.0.0.1:4318.".to_owned(),
            Self::Meta(error) => error.hint().to_owned(),
            Self::Document(_) => "This is a defect of Twinloom: please report it.".to_owned(),
        }
    }
}
