//! `twinloom-torch serve`: requests as JSON lines on stdin, replies as JSON lines on stdout.
//!
//! Any number of requests may be open; replies carry the `id` that the request had and come as they are ready. One thread
//! reads, one owns the language models and hands requests to their engines, one owns the encoders, one writes.

mod models;
mod request;
mod threads;

#[cfg(test)]
mod tests;

use std::io::{BufRead, Read, Write};

use serde_json::{Value, json};
use twinloom_sdk::serving::Refusal;

pub use crate::weights::Weights;
pub use models::{Backend, ServeOptions};
pub use request::{Embed, Generate, Request, Rerank};

use crate::ModelError;
use threads::Threads;

/// A request is not longer than this; a longer one ends the service, as the stream cannot be trusted any more.
const LONGEST_REQUEST: u64 = 64 << 20;

/// Answers requests until the input ends and all are answered. A request that fails gets
/// `{"id", "error": {code, message, hint}}`.
///
/// # Errors
/// When input or output cannot be used any more.
pub fn serve(
    mut input: impl BufRead,
    output: impl Write + Send + 'static,
    options: ServeOptions,
) -> std::io::Result<()> {
    let threads = Threads::start(output, options)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .by_ref()
            .take(LONGEST_REQUEST)
            .read_until(b'\n', &mut line)?;
        if read == 0 || threads.broken() {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        if line.last() != Some(&b'\n') && read as u64 >= LONGEST_REQUEST {
            threads.reply(refusal(Value::Null, &too_long()));
            break;
        }
        match serde_json::from_slice::<Value>(&line) {
            Err(error) => threads.reply(refusal(Value::Null, &not_understood(&error))),
            Ok(value) => {
                let id = value.get("id").cloned().unwrap_or(Value::Null);
                match serde_json::from_value::<Request>(value) {
                    Ok(request) => threads.take(id, request),
                    Err(error) => threads.reply(refusal(id, &not_understood(&error))),
                }
            }
        }
    }
    threads.finish()
}

fn refusal(id: Value, error: &ModelError) -> Value {
    let refusal = Refusal {
        code: error.code().to_owned(),
        message: error.to_string(),
        hint: error.hint(),
    };
    json!({"id": id, "error": refusal})
}

fn not_understood(error: &serde_json::Error) -> ModelError {
    ModelError::input(
        format!("the request cannot be understood: {error}"),
        "Send one JSON object a line, with `id` and `op` (embed, rerank, generate, cancel or stats).",
    )
}

fn too_long() -> ModelError {
    ModelError::input(
        format!("the request is longer than {LONGEST_REQUEST} bytes"),
        "Send fewer texts at a time.",
    )
}
