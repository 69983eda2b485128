//! What can be asked: the words of [`twinloom_sdk::serving`], and what has to hold of them.

use serde_json::Value;

pub use twinloom_sdk::serving::{Embed, Generate, Request, Rerank};

use crate::ModelError;

/// Turns of a conversation; more belong to no model's context.
const MOST_TURNS: usize = 100_000;

/// Whether a template can be given these turns.
///
/// # Errors
/// `model.input`, naming the turn.
pub fn check_turns(turns: &[Value]) -> Result<(), ModelError> {
    let role = |turn: &Value| turn.get("role").is_some_and(Value::is_string);
    if let Some(at) = turns.iter().position(|turn| !role(turn)) {
        return Err(ModelError::input(
            format!("message {at} has no `role`"),
            "Give every message a `role`: system, user, assistant or tool.",
        ));
    }
    if turns.len() > MOST_TURNS {
        return Err(ModelError::input(
            format!("the conversation has {} messages", turns.len()),
            format!("Send at most {MOST_TURNS}."),
        ));
    }
    Ok(())
}
