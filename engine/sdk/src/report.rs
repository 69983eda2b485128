//! Where an operator's messages go; secrets are struck out on the way.

use std::sync::Arc;

use crate::{ApprovalRequest, Message, OperatorError, Outcome, Secrets, secrets::Needles};

/// Takes messages from anywhere in an operator.
#[derive(Clone)]
pub struct Reporter {
    sink: Arc<dyn Fn(Message) + Send + Sync>,
    secrets: Secrets,
    needles: Needles,
}

impl Reporter {
    /// Sends messages to `sink`, less the values of all secrets in the environment.
    pub fn new(sink: impl Fn(Message) + Send + Sync + 'static) -> Self {
        Self {
            sink: Arc::new(sink),
            secrets: Secrets::default(),
            needles: Needles::of_environment(),
        }
    }

    /// The same, less the values of these secrets too, which the operator may ask for.
    #[must_use]
    pub fn knowing(self, secrets: &Secrets) -> Self {
        Self {
            needles: self.needles.and(secrets),
            secrets: secrets.clone(),
            sink: self.sink,
        }
    }

    /// The secrets that the operator may ask for.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Sends one message.
    pub fn send(&self, message: Message) {
        (self.sink)(self.strike(message));
    }

    /// The text with each secret's value replaced.
    #[must_use]
    pub fn redact(&self, text: String) -> String {
        self.needles.strike(text)
    }

    /// The message with each secret's value replaced, but for the artifacts that it tells of.
    #[must_use]
    pub fn strike(&self, message: Message) -> Message {
        match message {
            Message::Log { level, message } => Message::Log {
                level,
                message: self.redact(message),
            },
            Message::Progress { done, total, unit } => Message::Progress {
                done,
                total,
                unit: self.redact(unit),
            },
            Message::Metric { name, value, step } => Message::Metric {
                name: self.redact(name),
                value,
                step,
            },
            Message::Result {
                mut metrics,
                mut aliases,
            } => {
                metrics
                    .values_mut()
                    .for_each(|value| self.needles.strike_value(value));
                for alias in &mut aliases {
                    alias.reason = self.redact(std::mem::take(&mut alias.reason));
                }
                Message::Result { metrics, aliases }
            }
            Message::Wait { request } => Message::Wait {
                request: self.strike_request(request),
            },
            Message::Error { error } => Message::Error {
                error: self.strike_error(error),
            },
            Message::Heartbeat | Message::Output { .. } => message,
        }
    }

    /// How an attempt ended, with each secret's value replaced.
    pub(crate) fn strike_end(&self, end: Result<Outcome, OperatorError>) -> Result<Outcome, OperatorError> {
        match end {
            Ok(Outcome::Done(mut done)) => {
                let (metrics, aliases) = (
                    std::mem::take(&mut done.metrics),
                    std::mem::take(&mut done.aliases),
                );
                if let Message::Result { metrics, aliases } =
                    self.strike(Message::Result { metrics, aliases })
                {
                    (done.metrics, done.aliases) = (metrics, aliases);
                }
                Ok(Outcome::Done(done))
            }
            Ok(Outcome::Wait(request)) => Ok(Outcome::Wait(self.strike_request(request))),
            Err(error) => Err(self.strike_error(error)),
        }
    }

    fn strike_request(&self, mut request: ApprovalRequest) -> ApprovalRequest {
        request.question = self.redact(request.question);
        self.needles.strike_value(&mut request.evidence);
        request
    }

    fn strike_error(&self, mut error: OperatorError) -> OperatorError {
        error.message = self.redact(error.message);
        error.hint = self.redact(error.hint);
        error
    }
}
