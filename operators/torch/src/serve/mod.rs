//! `twinloom-torch serve`: requests as JSON lines on stdin, replies as JSON lines on stdout, in the order of asking.

mod models;
mod request;

#[cfg(test)]
mod tests;

use std::io::{BufRead, Read, Write};

use serde_json::{Value, json};

pub use models::Models;
pub use request::Request;

use crate::ModelError;

/// A request is not longer than this; a longer one ends the service, as the stream cannot be trusted any more.
const LONGEST_REQUEST: u64 = 64 << 20;

/// Answers requests until the input ends. A request that fails gets `{"id", "error": {code, message, hint}}`.
///
/// # Errors
/// When input or output cannot be used any more.
pub fn serve(mut input: impl BufRead, mut output: impl Write, models: &mut Models) -> std::io::Result<()> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input
            .by_ref()
            .take(LONGEST_REQUEST)
            .read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let whole = line.last() == Some(&b'\n') || (read as u64) < LONGEST_REQUEST;
        let reply = if whole {
            answer(&line, models)
        } else {
            refusal(Value::Null, &too_long())
        };
        serde_json::to_writer(&mut output, &reply)?;
        output.write_all(b"\n")?;
        output.flush()?;
        if !whole {
            return Ok(());
        }
    }
}

fn answer(line: &[u8], models: &mut Models) -> Value {
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return refusal(Value::Null, &not_understood(&error)),
    };
    let id = value.get("id").cloned().unwrap_or(Value::Null);
    let reply = serde_json::from_value::<Request>(value)
        .map_err(|error| not_understood(&error))
        .and_then(|request| request.answer(models));
    match reply {
        Ok(mut reply) => {
            if let Some(fields) = reply.as_object_mut() {
                fields.insert("id".to_owned(), id);
            }
            reply
        }
        Err(error) => refusal(id, &error),
    }
}

fn refusal(id: Value, error: &ModelError) -> Value {
    json!({"id": id, "error": {"code": error.code(), "message": error.to_string(), "hint": error.hint()}})
}

fn not_understood(error: &serde_json::Error) -> ModelError {
    ModelError::input(
        format!("the request cannot be understood: {error}"),
        "Send one JSON object a line, with `id` and `op` (embed or generate).",
    )
}

fn too_long() -> ModelError {
    ModelError::input(
        format!("the request is longer than {LONGEST_REQUEST} bytes"),
        "Send fewer texts at a time.",
    )
}
