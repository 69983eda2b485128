//! A step with `matrix` or `for_each` stands for several tasks.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{names::value_label, search};
use crate::{
    expr::{self, ExprError, Scope},
    model::{ForEach, Matrix, Search, Step},
    yaml::Span,
};

/// Tasks of one plan.
pub(super) const MAX_TASKS: usize = 100_000;

/// One of the tasks that a step stands for.
pub(super) struct Variant {
    /// What its id adds to the step's: nothing, `[2]`, `[rank=8,lr=0.0001]`.
    pub(super) label: String,
    /// What expressions see in addition.
    pub(super) scope: Scope,
    /// For display.
    pub(super) values: Map<String, Value>,
    /// Trial and rung of a search.
    pub(super) place: Option<Place>,
}

/// A place in a search.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// From 0.
    pub(super) trial: u32,
    /// From 0.
    pub(super) rung: u32,
}

/// Why there are no variants.
pub(super) enum Amiss {
    Expression(Span, ExprError),
    Wrong(Span, String),
}

/// The tasks that a step stands for; just one where it has neither `matrix` nor `for_each`.
pub(super) fn variants(step: &Step, scope: &Scope) -> Result<Vec<Variant>, Amiss> {
    if let Some(for_each) = &step.for_each {
        let items = list(&for_each.value, for_each.span, scope)?;
        let alias = step.item_name.as_ref().map(|name| name.value.as_str());
        return Ok(items
            .into_iter()
            .enumerate()
            .map(|(index, item)| each(index, item, alias, scope))
            .collect());
    }
    if let Some(matrix) = &step.matrix {
        return combinations(matrix, step.uses.span, scope);
    }
    if let Some(search) = &step.search {
        return Ok(trials(&search.value, scope));
    }
    Ok(vec![Variant {
        label: String::new(),
        scope: scope.clone(),
        values: Map::new(),
        place: None,
    }])
}

fn each(index: usize, item: Value, alias: Option<&str>, scope: &Scope) -> Variant {
    let mut scope = scope.clone();
    let values = Map::from_iter([(alias.unwrap_or("item").to_owned(), item.clone())]);
    if let Some(alias) = alias {
        scope.set(alias, item.clone());
    }
    scope.set("item", item);
    Variant {
        label: format!("[{index}]"),
        scope,
        values,
        place: None,
    }
}

/// All trials of the first rung, then those that may reach the second, and so on.
fn trials(search: &Search, scope: &Scope) -> Vec<Variant> {
    let drawn = search::draw(search);
    let rungs = search::rungs(search);
    let mut variants = Vec::with_capacity(drawn.len() * rungs.len());
    for (rung, budget) in (0..).zip(&rungs) {
        for (trial, values) in (0..).zip(&drawn) {
            let mut values = values.clone();
            let mut label = format!("trial={trial}");
            if let Some((name, budget)) = budget {
                values.insert(name.clone(), Value::from(*budget));
                label = format!("{label},{name}={budget}");
            }
            let mut scope = scope.clone();
            scope.set("search", Value::Object(values.clone()));
            variants.push(Variant {
                label: format!("[{label}]"),
                scope,
                values,
                place: Some(Place { trial, rung }),
            });
        }
    }
    variants
}

fn combinations(matrix: &Matrix, uses: Span, scope: &Scope) -> Result<Vec<Variant>, Amiss> {
    let (span, dimensions) = dimensions(matrix, uses, scope)?;
    let mut count = 1_usize;
    for (name, values) in &dimensions {
        if values.is_empty() {
            return Err(Amiss::Wrong(
                span,
                format!("the dimension `{name}` is empty: the step would never run"),
            ));
        }
        count = count.saturating_mul(values.len());
    }
    if count > MAX_TASKS {
        return Err(Amiss::Wrong(
            span,
            format!("the matrix has {count} combinations; at most {MAX_TASKS} tasks are planned"),
        ));
    }
    let labels: Vec<Vec<String>> = dimensions
        .iter()
        .map(|(name, values)| labels(name, values))
        .collect();
    let mut variants = Vec::with_capacity(count);
    for number in 0..count {
        // The last dimension turns fastest, as in nested loops.
        let (mut rest, mut values, mut parts) = (number, Vec::new(), Vec::new());
        for ((name, choices), labels) in dimensions.iter().zip(&labels).rev() {
            let at = rest % choices.len();
            rest /= choices.len();
            values.push((name.clone(), choices[at].clone()));
            parts.push(labels[at].clone());
        }
        values.reverse();
        parts.reverse();
        let values: Map<String, Value> = values.into_iter().collect();
        let mut scope = scope.clone();
        scope.set("matrix", Value::Object(values.clone()));
        variants.push(Variant {
            label: format!("[{}]", parts.join(",")),
            scope,
            values,
            place: None,
        });
    }
    Ok(variants)
}

type Dimensions = Vec<(String, Vec<Value>)>;

fn dimensions(matrix: &Matrix, uses: Span, scope: &Scope) -> Result<(Span, Dimensions), Amiss> {
    match matrix {
        Matrix::Dimensions(dimensions) => {
            let read = dimensions.iter().map(|(name, entry)| {
                Ok((
                    name.to_owned(),
                    list(&entry.value.value, entry.value.span, scope)?,
                ))
            });
            Ok((
                if dimensions.is_empty() {
                    uses
                } else {
                    dimensions.span
                },
                read.collect::<Result<_, Amiss>>()?,
            ))
        }
        Matrix::Template(expression) => {
            let value = expr::eval_in(&expression.value.0, scope)
                .map_err(|error| Amiss::Expression(expression.span, error))?;
            let wrong = || {
                Amiss::Wrong(
                    expression.span,
                    "the matrix must be a mapping from names to lists".to_owned(),
                )
            };
            let Value::Object(map) = value else {
                return Err(wrong());
            };
            let read = map.into_iter().map(|(name, values)| match values {
                Value::Array(values) if crate::read::identifier(&name) => Ok((name, values)),
                _ => Err(wrong()),
            });
            let dimensions: Dimensions = read.collect::<Result<_, Amiss>>()?;
            if dimensions.is_empty() {
                Err(wrong())
            } else {
                Ok((expression.span, dimensions))
            }
        }
    }
}

/// `name=value` for each value, `name=INDEX` where a value is long, no scalar, or looks like another.
fn labels(name: &str, values: &[Value]) -> Vec<String> {
    let plain: Vec<Option<String>> = values.iter().map(value_label).collect();
    let distinct: HashSet<_> = plain.iter().flatten().collect();
    let usable = distinct.len() == values.len();
    let label = |(index, plain): (usize, Option<String>)| match plain {
        Some(text) if usable => format!("{name}={text}"),
        _ => format!("{name}={index}"),
    };
    plain.iter().cloned().enumerate().map(label).collect()
}

fn list(list: &ForEach, span: Span, scope: &Scope) -> Result<Vec<Value>, Amiss> {
    let items = match list {
        ForEach::List(items) => {
            let render = |node: &crate::yaml::Node| {
                expr::render_in(&node.to_value(), scope).map_err(|error| Amiss::Expression(node.span, error))
            };
            items.iter().map(render).collect::<Result<Vec<_>, _>>()?
        }
        ForEach::Template(expression) => {
            match expr::eval_in(&expression.value.0, scope)
                .map_err(|error| Amiss::Expression(expression.span, error))?
            {
                Value::Array(items) => items,
                other => {
                    let found = crate::yaml::Node::from_value(&other, span);
                    let message = format!(
                        "`${{{{ {} }}}}` must give a list, it gives {}",
                        expression.value.0,
                        found.kind()
                    );
                    return Err(Amiss::Wrong(span, message));
                }
            }
        }
    };
    if items.len() > MAX_TASKS {
        return Err(Amiss::Wrong(
            span,
            format!(
                "the list has {} entries; at most {MAX_TASKS} tasks are planned",
                items.len()
            ),
        ));
    }
    Ok(items)
}
