//! Where an operator's messages go; secrets are struck out on the way.

use std::{env, sync::Arc};

use crate::Message;

/// Environment variables of this prefix hold the values of `secret:NAME` references.
pub const SECRET_PREFIX: &str = "TWINLOOM_SECRET_";

/// Shorter values are not struck out: they would hit ordinary words.
const SHORTEST_SECRET: usize = 4;

/// Takes messages from anywhere in an operator.
#[derive(Clone)]
pub struct Reporter {
    sink: Arc<dyn Fn(Message) + Send + Sync>,
    secrets: Arc<Vec<String>>,
}

impl Reporter {
    /// Sends messages to `sink`, less the values of all secrets in the environment.
    pub fn new(sink: impl Fn(Message) + Send + Sync + 'static) -> Self {
        let is_secret = |(name, value): &(String, String)| {
            name.starts_with(SECRET_PREFIX) && value.len() >= SHORTEST_SECRET
        };
        let vars = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let secrets = vars.filter(is_secret).map(|(_, value)| value).collect();
        Self {
            sink: Arc::new(sink),
            secrets: Arc::new(secrets),
        }
    }

    /// Sends one message.
    pub fn send(&self, message: Message) {
        let message = match message {
            Message::Log { level, message } => Message::Log {
                level,
                message: self.redact(message),
            },
            Message::Error { mut error } => {
                error.message = self.redact(error.message);
                error.hint = self.redact(error.hint);
                Message::Error { error }
            }
            other => other,
        };
        (self.sink)(message);
    }

    /// The text with each secret's value replaced.
    #[must_use]
    pub fn redact(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) {
                text.replace(secret.as_str(), "[secret]")
            } else {
                text
            }
        })
    }
}
