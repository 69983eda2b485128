//! What comes from outside: signed requests and messages. Each is a durable event before anyone is told that it was taken.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use twinloom_meta::{Change, MetaError, NewEvent, event};

use super::{EventId, QueueMessage, Service, ServiceError, SignedRequest};
use crate::triggers::Condition;

/// A request's time may differ from ours by so many seconds; its signature is remembered for longer.
const TOLERANCE: i64 = 300;
/// Longer bodies are refused.
const LONGEST: usize = 256 * 1024;

impl Service {
    /// Takes a signed request for a DAG with a webhook. When this returns it is in the log; the run follows.
    ///
    /// # Errors
    /// `dag.unknown`, `dag.no_trigger`, `dag.paused`, `webhook.unsigned`, `webhook.replayed`, `webhook.body`,
    /// `secret.missing`.
    pub async fn webhook(&self, name: &str, request: SignedRequest<'_>) -> Result<EventId, ServiceError> {
        let entry = self.known(name)?;
        let hook =
            entry
                .dag
                .iter()
                .flat_map(|dag| Condition::of(dag))
                .find_map(|condition| match condition {
                    Condition::Webhook(hook) => Some(hook),
                    _ => None,
                });
        let hook = hook.ok_or_else(|| ServiceError::NoTrigger {
            name: name.to_owned(),
            what: "webhook",
        })?;
        if request.body.len() > LONGEST {
            return Err(body("it is longer than 256 KiB"));
        }
        let secret = self.secret(&hook.secret).await?;
        let now = self.inner.engine.now();
        let signature = signature(&secret, request, now)?;
        // Said only to those who can sign.
        if entry.paused {
            return Err(ServiceError::Paused {
                name: name.to_owned(),
            });
        }
        let content: Value = match request.body {
            [] => Value::Null,
            bytes => {
                serde_json::from_slice(bytes).map_err(|error| body(&format!("it is not JSON: {error}")))?
            }
        };
        for (param, pointer) in &hook.params {
            if content.pointer(pointer).is_none() {
                return Err(body(&format!(
                    "it has nothing at `{pointer}` for the parameter `{param}`"
                )));
            }
        }
        let changes = vec![
            Change::Seen {
                scope: format!("webhook:{name}"),
                key: signature,
                at: now,
            },
            Change::Event(NewEvent {
                kind: event::WEBHOOK_RECEIVED.to_owned(),
                subject: name.to_owned(),
                payload: json!({ "body": content }),
                at: now,
            }),
        ];
        match self.append(changes).await {
            Err(ServiceError::Engine(crate::EngineError::Meta(MetaError::Exists { .. }))) => {
                Err(ServiceError::Replayed)
            }
            done => done,
        }
    }

    /// Takes a message of a queue. When this returns it is in the log and may be acknowledged; so may one whose id was
    /// taken before.
    ///
    /// # Errors
    /// `queue.known_message`, `webhook.body`; what the database says.
    pub async fn queue_message(&self, queue: &str, message: QueueMessage) -> Result<EventId, ServiceError> {
        if message.body.len() > LONGEST {
            return Err(body("it is longer than 256 KiB"));
        }
        // What is not JSON is text; what is not text either cannot be kept.
        let content = match serde_json::from_slice(&message.body) {
            Ok(content) => content,
            Err(_) => match String::from_utf8(message.body) {
                Ok(text) => Value::String(text),
                Err(_) => return Err(body("it is neither JSON nor text")),
            },
        };
        let at = self.inner.engine.now();
        let mut changes = vec![Change::Event(NewEvent {
            kind: event::QUEUE_MESSAGE.to_owned(),
            subject: queue.to_owned(),
            payload: json!({ "body": content, "id": message.id }),
            at,
        })];
        if let Some(id) = &message.id {
            changes.push(Change::Seen {
                scope: format!("queue:{queue}"),
                key: id.clone(),
                at,
            });
        }
        match self.append(changes).await {
            Err(ServiceError::Engine(crate::EngineError::Meta(MetaError::Exists { .. }))) => {
                let id = message.id.unwrap_or_default();
                Err(ServiceError::KnownMessage { id })
            }
            done => done,
        }
    }

    async fn append(&self, changes: Vec<Change>) -> Result<EventId, ServiceError> {
        let last = self.inner.engine.config().meta.append(changes, &[]).await?;
        Ok(last.unwrap_or_default())
    }
}

/// Checks time and signature; the signature in hex. The comparison takes the same time wherever they differ.
fn signature(secret: &str, request: SignedRequest<'_>, now: Timestamp) -> Result<String, ServiceError> {
    let unsigned = |reason| ServiceError::Unsigned { reason };
    let timestamp = request.timestamp.ok_or(unsigned("it has no timestamp"))?;
    let seconds: i64 = timestamp
        .parse()
        .map_err(|_| unsigned("its timestamp is no number"))?;
    let given = request.signature.ok_or(unsigned("it has no signature"))?;
    let given = given
        .strip_prefix("sha256=")
        .unwrap_or(given)
        .to_ascii_lowercase();
    let bytes = unhex(&given).ok_or(unsigned("its signature is not hexadecimal"))?;
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| unsigned("the secret cannot sign"))?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(request.body);
    mac.verify_slice(&bytes)
        .map_err(|_| unsigned("its signature is wrong"))?;
    if now.as_second().abs_diff(seconds) > TOLERANCE.unsigned_abs() {
        return Err(unsigned("its timestamp is too far from now"));
    }
    Ok(given)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

fn body(reason: &str) -> ServiceError {
    ServiceError::Body {
        reason: reason.to_owned(),
    }
}
