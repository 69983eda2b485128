//! Templates: `${{ expression }}` in text. Expressions are minijinja's, strict about what is undefined, with bounded
//! fuel, without access to anything but their scope.
//!
//! An expression that is the whole text keeps its type. `$${{` stands for a literal `${{`.

mod convert;
mod error;
mod eval;
mod literal;
mod scope;
mod search;
mod template;
mod tokens;

use serde_json::{Map, Value};

pub use error::ExprError;
pub(crate) use literal::literal;
pub(crate) use scope::Scope;
pub(crate) use template::{Segment, escape, segments, whole};
pub(crate) use tokens::{PathPart, Reference, references};

/// Fills the templates of every text in a value. An expression that is the whole text keeps its type.
///
/// # Errors
/// An [`ExprError`] where an expression cannot be read, names what the scope does not hold, or costs too much.
pub fn render(value: &Value, scope: &Value) -> Result<Value, ExprError> {
    render_in(value, &Scope::of(scope))
}

pub(crate) fn render_in(value: &Value, scope: &Scope) -> Result<Value, ExprError> {
    Ok(match value {
        Value::String(text) => render_text(text, scope)?,
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| render_in(item, scope))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| Ok((key.clone(), render_in(value, scope)?)))
                .collect::<Result<Map<_, _>, ExprError>>()?,
        ),
        other => other.clone(),
    })
}

pub(crate) fn render_text(text: &str, scope: &Scope) -> Result<Value, ExprError> {
    if !text.contains("${{") {
        return Ok(Value::String(text.to_owned()));
    }
    if let Some(expression) = whole(text)? {
        return eval_in(expression, scope);
    }
    let mut out = String::new();
    for segment in segments(text)? {
        match segment {
            Segment::Text(text) => out.push_str(&text),
            Segment::Expression { source, .. } => out.push_str(&display(&eval_in(source, scope)?)),
        }
        if out.len() > eval::MAX_TEXT {
            return Err(ExprError::TooLarge);
        }
    }
    Ok(Value::String(out))
}

/// The value of an expression (without `${{ }}`).
///
/// # Errors
/// As [`render`].
pub fn eval(expression: &str, scope: &Value) -> Result<Value, ExprError> {
    eval_in(expression, &Scope::of(scope))
}

pub(crate) use eval::{check_syntax, eval_in, weight};

/// Whether a value counts as true: not `false`, `null`, `0`, or empty.
#[must_use]
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// A value inside a longer text.
pub(crate) fn display(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
