//! Evaluation, within bounds.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::LazyLock};

use minijinja::{Environment, ErrorKind, Expression, UndefinedBehavior};
use serde_json::Value;

use super::{ExprError, PathPart, Reference, Scope, convert, error::shown, references};
use crate::read::closest;

/// Instructions of one evaluation.
const FUEL: u64 = 200_000;
/// Bytes of an expression's source. Substituted parameters count, so it is more than anyone writes.
const MAX_SOURCE: usize = 256 * 1024;
/// Multiplications of one expression.
const MAX_PRODUCTS: usize = 8;
/// Bytes of a rendered text.
pub(super) const MAX_TEXT: usize = 4 * 1024 * 1024;
/// Compiled expressions that are kept for each thread.
const CACHED: usize = 1024;

/// Pure and bounded filters only: `indent`, `format`, `replace` and `join` could make gigabytes out of a line.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    for name in [
        "indent", "format", "pprint", "replace", "join", "batch", "slice", "center", "tojson", "safe",
        "escape",
    ] {
        environment.remove_filter(name);
    }
    for name in ["debug", "namespace"] {
        environment.remove_global(name);
    }
    environment.add_filter("join", join);
    environment.add_filter("replace", replace);
    environment.add_function("len", |value: minijinja::Value| {
        value
            .len()
            .ok_or_else(|| minijinja::Error::new(ErrorKind::InvalidOperation, "it has no length"))
    });
    for (name, function) in super::search::functions() {
        environment.add_global(name, function);
    }
    environment
});

type Compiled = (Rc<Expression<'static, 'static>>, Rc<Vec<Reference>>);

thread_local! {
    static COMPILED: RefCell<HashMap<String, Compiled>> = RefCell::new(HashMap::new());
}

/// Compiles an expression without running it.
pub(crate) fn check_syntax(expression: &str) -> Result<(), ExprError> {
    compiled(expression).map(|_| ())
}

/// The value of an expression in a scope.
pub(crate) fn eval_in(expression: &str, scope: &Scope) -> Result<Value, ExprError> {
    if let Some(reference) = plain_path(expression) {
        return scope
            .resolve(&reference)
            .cloned()
            .map_err(|followed| undefined(&reference, followed, scope));
    }
    let (program, references) = compiled(expression)?;
    let mut context = Vec::new();
    for reference in references.iter() {
        // A test such as `is defined` must be able to ask for what is not there: only the root must exist.
        let Some(value) = scope.engine_value(&reference.root) else {
            return Err(undefined(reference, 0, scope));
        };
        context.push((reference.root.clone(), value));
    }
    let context = minijinja::Value::from_pairs(context);
    let value = program
        .eval(context)
        .map_err(|error| failed(expression, &error, &references, scope))?;
    if value.is_undefined() {
        let missing = references.iter().find_map(|reference| {
            scope
                .resolve(reference)
                .err()
                .map(|followed| undefined(reference, followed, scope))
        });
        return Err(missing.unwrap_or_else(|| ExprError::Undefined {
            path: shown(expression),
            closest: None,
        }));
    }
    convert::to_json(&value, expression)
}

/// `params.sources[0].url` and the like need no engine, and keep the order of keys.
fn plain_path(expression: &str) -> Option<Reference> {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '"' | '\'' | '-' | '/');
    if !expression.chars().all(plain) {
        return None;
    }
    let mut found = references(expression);
    let only = found.pop()?;
    (found.is_empty() && only.range == (0..expression.len())).then_some(only)
}

fn compiled(expression: &str) -> Result<Compiled, ExprError> {
    // One repetition of a text may cost 100 MB before its size is known.
    if expression.len() > MAX_SOURCE || super::tokens::products(expression) > MAX_PRODUCTS {
        return Err(ExprError::TooLarge);
    }
    COMPILED.with_borrow_mut(|cache| {
        if let Some(found) = cache.get(expression) {
            return Ok(found.clone());
        }
        let program = ENVIRONMENT
            .compile_expression_owned(expression.to_owned())
            .map_err(|error| {
                let reason = error.detail().map_or_else(|| error.to_string(), str::to_owned);
                ExprError::Syntax {
                    expression: shown(expression),
                    reason,
                }
            })?;
        if cache.len() >= CACHED {
            cache.clear();
        }
        let entry = (Rc::new(program), Rc::new(references(expression)));
        cache.insert(expression.to_owned(), entry.clone());
        Ok(entry)
    })
}

fn failed(expression: &str, error: &minijinja::Error, references: &[Reference], scope: &Scope) -> ExprError {
    let about_undefined = error.kind() == ErrorKind::UndefinedError
        || error.detail().is_some_and(|detail| detail.contains("undefined"));
    let missing = about_undefined.then(|| {
        references.iter().find_map(|reference| {
            scope
                .resolve(reference)
                .err()
                .map(|followed| undefined(reference, followed, scope))
        })
    });
    match (error.kind(), missing.flatten()) {
        (_, Some(missing)) => missing,
        (ErrorKind::OutOfFuel, _) => ExprError::OutOfFuel {
            expression: shown(expression),
        },
        (kind, _) => {
            let reason = error
                .detail()
                .map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}"));
            ExprError::Failed {
                expression: shown(expression),
                reason,
            }
        }
    }
}

/// The error for a reference of which the parts before `missing` (from 1) could be followed; 0 is the root.
fn undefined(reference: &Reference, missing: usize, scope: &Scope) -> ExprError {
    let path = reference.display(missing);
    let Some(last) = missing.checked_sub(1) else {
        return ExprError::Undefined {
            path,
            closest: closest(&reference.root, scope.names()).map(str::to_owned),
        };
    };
    let parent = Reference {
        root: reference.root.clone(),
        path: reference.path[..last].to_vec(),
        range: 0..0,
    };
    let near = match (scope.resolve(&parent), &reference.path[last]) {
        (Ok(Value::Object(map)), PathPart::Name(name)) => closest(name, map.keys().map(String::as_str)),
        _ => None,
    };
    ExprError::Undefined {
        path,
        closest: near.map(|name| format!("{}.{name}", reference.display(last))),
    }
}

/// Memory of a value, roughly.
pub(crate) fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => 24 + text.len(),
        Value::Array(items) => 24 + items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => {
            24 + map
                .iter()
                .map(|(key, value)| 24 + key.len() + weight(value))
                .sum::<usize>()
        }
        _ => 24,
    }
}

fn replace(text: &str, from: &str, to: &str) -> Result<String, minijinja::Error> {
    let found = if from.is_empty() {
        text.len() + 1
    } else {
        text.matches(from).count()
    };
    if text.len() + found.saturating_mul(to.len()) > MAX_TEXT {
        return Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            "the text is too long",
        ));
    }
    Ok(text.replace(from, to))
}

fn join(values: &minijinja::Value, separator: Option<&str>) -> Result<String, minijinja::Error> {
    let mut out = String::new();
    for (index, value) in values.try_iter()?.enumerate() {
        if index > 0 {
            out.push_str(separator.unwrap_or_default());
        }
        match value.as_str() {
            Some(text) => out.push_str(text),
            None => out.push_str(&value.to_string()),
        }
        if out.len() > MAX_TEXT {
            return Err(minijinja::Error::new(
                ErrorKind::InvalidOperation,
                "the text is too long",
            ));
        }
    }
    Ok(out)
}
