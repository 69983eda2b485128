//! Templates as far as they can be filled when the plan is made: `params`, `matrix` and `item` become values, what
//! reads `steps` or `run` stays a template for the time when the task starts.
//!
//! The result is a template throughout: a literal `${{` in it is written `$${{`.

use std::collections::HashMap;

use serde_json::Value;

use crate::{
    expr::{self, ExprError, Reference, Scope, Segment},
    yaml::{Data, Node, Pair, Span},
};

/// What can be filled.
pub(super) struct Partial<'a> {
    /// `params`, `matrix`, `item`.
    pub(super) scope: &'a Scope,
    /// Parameters of a pipeline whose value is a template itself.
    pub(super) deferred: &'a HashMap<String, Value>,
    /// `steps.NAME` as the run knows it.
    pub(super) steps: &'a dyn Fn(&str) -> Option<String>,
}

/// An expression that fails, with its value's place.
pub(super) type Failure = (Span, ExprError);

/// An expression after filling.
enum Filled {
    Value(Value),
    /// An expression over `steps` and `run`.
    Later(String),
    /// A value with templates.
    Template(Value),
}

impl Partial<'_> {
    /// Fills a value; whether templates are left.
    pub(super) fn node(&self, node: &Node) -> Result<(Node, bool), Failure> {
        let mut live = false;
        let data = match &node.data {
            Data::String(text) if text.contains("${{") => {
                let (value, left) = self.text(text).map_err(|error| (node.span, error))?;
                return Ok((Node::from_value(&value, node.span), left));
            }
            Data::List(items) => {
                let mut filled = Vec::with_capacity(items.len());
                for item in items {
                    let (item, left) = self.node(item)?;
                    live |= left;
                    filled.push(item);
                }
                Data::List(filled)
            }
            Data::Map(pairs) => {
                let mut filled = Vec::with_capacity(pairs.len());
                for pair in pairs {
                    let (value, left) = self.node(&pair.value)?;
                    live |= left;
                    filled.push(Pair {
                        key: pair.key.clone(),
                        key_span: pair.key_span,
                        value,
                    });
                }
                Data::Map(filled)
            }
            other => other.clone(),
        };
        Ok((
            Node {
                span: node.span,
                data,
            },
            live,
        ))
    }

    /// Fills a text that must be known when the plan is made.
    pub(super) fn name(&self, text: &str, span: Span) -> Result<String, Failure> {
        match expr::render_text(text, self.scope).map_err(|error| (span, error))? {
            Value::String(text) => Ok(text),
            other => Ok(expr::display(&other)),
        }
    }

    /// Fills a condition: a constant, or an expression for later.
    pub(super) fn condition(&self, expression: &str, span: Span) -> Result<String, Failure> {
        let filled = self.expression(expression).map_err(|error| (span, error))?;
        Ok(match filled {
            Filled::Value(value) => expr::truthy(&value).to_string(),
            Filled::Later(expression) => expression,
            Filled::Template(value) => as_expression(&value).map_err(|error| (span, error))?,
        })
    }

    fn text(&self, text: &str) -> Result<(Value, bool), ExprError> {
        if let Some(expression) = expr::whole(text)? {
            return Ok(match self.expression(expression)? {
                Filled::Value(value) => (escaped(value), false),
                Filled::Later(expression) => (Value::String(format!("${{{{ {expression} }}}}")), true),
                Filled::Template(value) => (value, true),
            });
        }
        let (mut out, mut live) = (String::new(), false);
        for segment in expr::segments(text)? {
            let filled = match segment {
                Segment::Text(text) => {
                    out.push_str(&expr::escape(&text));
                    continue;
                }
                Segment::Expression { source, .. } => self.expression(source)?,
            };
            match filled {
                Filled::Value(value) => out.push_str(&expr::escape(&expr::display(&value))),
                Filled::Later(expression) => {
                    push_live(&mut out, &expression);
                    live = true;
                }
                Filled::Template(value) => {
                    push_live(&mut out, &as_expression(&value)?);
                    live = true;
                }
            }
        }
        Ok((Value::String(out), live))
    }

    fn expression(&self, expression: &str) -> Result<Filled, ExprError> {
        let references = expr::references(expression);
        if references.iter().all(|reference| !self.is_later(reference)) {
            return expr::eval_in(expression, self.scope).map(Filled::Value);
        }
        if let [only] = references.as_slice()
            && only.range == (0..expression.len())
            && only.root == "params"
            && only.path.len() == 1
            && let Some(value) = only.name(0).and_then(|name| self.deferred.get(name))
        {
            return Ok(Filled::Template(value.clone()));
        }
        let (mut out, mut at) = (String::new(), 0);
        for reference in &references {
            out.push_str(&expression[at..reference.range.start]);
            out.push_str(&self.replacement(expression, reference)?);
            at = reference.range.end;
        }
        out.push_str(&expression[at..]);
        Ok(Filled::Later(out))
    }

    fn is_later(&self, reference: &Reference) -> bool {
        match reference.root.as_str() {
            "steps" | "run" => true,
            "params" => match reference.name(0) {
                Some(name) => self.deferred.contains_key(name),
                // All of them, or one that is computed.
                None => !self.deferred.is_empty(),
            },
            _ => false,
        }
    }

    fn replacement(&self, expression: &str, reference: &Reference) -> Result<String, ExprError> {
        let written = &expression[reference.range.clone()];
        match (reference.root.as_str(), reference.name(0)) {
            ("run", _) => Ok(written.to_owned()),
            ("steps", Some(name)) => {
                let step = (self.steps)(name).ok_or_else(|| undefined(reference))?;
                Ok(step + &rest(reference, 1))
            }
            ("params", Some(name)) if self.deferred.contains_key(name) => {
                let value = self
                    .deferred
                    .get(name)
                    .map(as_expression)
                    .transpose()?
                    .unwrap_or_default();
                Ok(format!("({value}){}", rest(reference, 1)))
            }
            ("params", None) if !self.deferred.is_empty() => Err(ExprError::Failed {
                expression: written.to_owned(),
                reason:
                    "one of the parameters is only known when the task starts: name the one that is meant"
                        .to_owned(),
            }),
            _ => self
                .scope
                .resolve(reference)
                .map(expr::literal)
                .map_err(|_| undefined(reference)),
        }
    }
}

fn undefined(reference: &Reference) -> ExprError {
    ExprError::Undefined {
        path: reference.display(reference.path.len()),
        closest: None,
    }
}

/// The path from a part on, as an expression continues it.
fn rest(reference: &Reference, from: usize) -> String {
    let part = |part: &expr::PathPart| match part {
        expr::PathPart::Name(name) => format!("[{}]", Value::String(name.clone())),
        expr::PathPart::Index(index) => format!("[{index}]"),
    };
    reference.path.iter().skip(from).map(part).collect()
}

/// A `$` before a live template would turn it into literal text.
fn push_live(out: &mut String, expression: &str) {
    let dollars = out.len() - out.trim_end_matches('$').len();
    if dollars > 0 {
        out.truncate(out.len() - dollars);
        out.push_str(&format!("${{{{ \"{}\" }}}}", "$".repeat(dollars)));
    }
    out.push_str(&format!("${{{{ {expression} }}}}"));
}

/// A plain value as a template.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(expr::escape(&text).into_owned()),
        Value::Array(items) => Value::Array(items.into_iter().map(escaped).collect()),
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| (key, escaped(value)))
                .collect(),
        ),
        other => other,
    }
}

/// A value with templates as one expression.
fn as_expression(value: &Value) -> Result<String, ExprError> {
    Ok(match value {
        Value::String(text) => match expr::whole(text)? {
            Some(expression) => expression.to_owned(),
            None => {
                let mut parts = Vec::new();
                for segment in expr::segments(text)? {
                    parts.push(match segment {
                        Segment::Text(text) => Value::String(text.into_owned()).to_string(),
                        Segment::Expression { source, .. } => format!("({source})"),
                    });
                }
                if parts.is_empty() {
                    "\"\"".to_owned()
                } else {
                    parts.join(" ~ ")
                }
            }
        },
        Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(as_expression).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Object(map) => {
            let pairs: Result<Vec<_>, ExprError> = map
                .iter()
                .map(|(key, value)| {
                    Ok(format!(
                        "{}: {}",
                        Value::String(key.clone()),
                        as_expression(value)?
                    ))
                })
                .collect();
            format!("{{{}}}", pairs?.join(", "))
        }
        other => expr::literal(other),
    })
}
