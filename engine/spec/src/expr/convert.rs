//! Values of the expression engine as JSON, within a bound: lists may be lazy and far longer than memory.

use minijinja::value::{Value as Engine, ValueKind};
use serde_json::{Map, Value};

use super::{ExprError, error::shown, eval::MAX_TEXT};

/// The value as JSON; what is undefined becomes `null`.
pub(super) fn to_json(value: &Engine, expression: &str) -> Result<Value, ExprError> {
    let mut left = MAX_TEXT;
    convert(value, &mut left, 0, expression)
}

/// What one value weighs beside its text.
const WEIGHT: usize = 24;
const MAX_DEPTH: usize = 128;

fn convert(value: &Engine, left: &mut usize, depth: usize, expression: &str) -> Result<Value, ExprError> {
    let text = value.as_str();
    *left = left
        .checked_sub(WEIGHT + text.map_or(0, str::len))
        .ok_or(ExprError::TooLarge)?;
    if depth > MAX_DEPTH {
        return Err(ExprError::TooLarge);
    }
    let failed = |reason: String| ExprError::Failed {
        expression: shown(expression),
        reason,
    };
    if let Some(text) = text {
        return Ok(Value::String(text.to_owned()));
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Value::Null),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter().map_err(|error| failed(error.to_string()))? {
                items.push(convert(&item, left, depth + 1, expression)?);
            }
            Ok(Value::Array(items))
        }
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter().map_err(|error| failed(error.to_string()))? {
                let item = value.get_item(&key).map_err(|error| failed(error.to_string()))?;
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                *left = left.checked_sub(WEIGHT + name.len()).ok_or(ExprError::TooLarge)?;
                map.insert(name, convert(&item, left, depth + 1, expression)?);
            }
            Ok(Value::Object(map))
        }
        ValueKind::Bool | ValueKind::Number => {
            let plain = serde_json::to_value(value).map_err(|error| failed(error.to_string()))?;
            if plain.is_null() {
                Err(failed("the number is not finite".to_owned()))
            } else {
                Ok(plain)
            }
        }
        other => Err(failed(format!("it gives {other}, which is no value of a file"))),
    }
}
