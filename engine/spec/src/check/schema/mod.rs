//! A value of the tree against a JSON Schema, with the place of each mistake. The words that `schemars` and parameter
//! declarations use; what a template will give is not judged before it is filled.

mod branches;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::{
    read::did_you_mean,
    yaml::{Data, Node, Span},
};

/// A mistake in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Checks a value; `name` is how messages call it.
pub(crate) fn check_schema(schema: &Value, node: &Node, name: &str) -> Vec<Finding> {
    let mut checker = Checker {
        root: schema,
        found: Vec::new(),
        depth: 0,
    };
    checker.check(schema, node, name);
    checker.found
}

struct Checker<'a> {
    root: &'a Value,
    found: Vec<Finding>,
    depth: usize,
}

/// A word of the schema, how it reads, and when it holds.
type Rule = (&'static str, &'static str, fn(f64, f64) -> bool);

/// Schemas may refer to themselves; values are at most 64 deep.
const MAX_DEPTH: usize = 200;

impl<'a> Checker<'a> {
    fn find(&mut self, span: Span, message: String, hint: Option<String>) {
        self.found.push(Finding { span, message, hint });
    }

    fn check(&mut self, schema: &'a Value, node: &Node, path: &str) {
        if is_template(node) || self.depth > MAX_DEPTH {
            return;
        }
        self.depth += 1;
        match schema {
            Value::Bool(false) => self.find(node.span, format!("`{path}` may not be given"), None),
            Value::Object(words) => self.check_words(words, node, path),
            _ => {}
        }
        self.depth -= 1;
    }

    fn check_words(&mut self, words: &'a Map<String, Value>, node: &Node, path: &str) {
        if let Some(target) = words
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|name| resolve(self.root, name))
        {
            self.check(target, node, path);
        }
        for part in words.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.check(part, node, path);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(branches) = words.get(key).and_then(Value::as_array) {
                self.check_branches(branches, node, path);
            }
        }
        if !self.check_type(words, node, path) {
            return;
        }
        if let Some(choices) = words.get("enum").and_then(Value::as_array) {
            self.check_choices(&choices.iter().collect::<Vec<_>>(), node, path);
        } else if let Some(constant) = words.get("const") {
            self.check_choices(&[constant], node, path);
        }
        match &node.data {
            Data::Number(number) => self.check_bounds(words, number.as_f64(), node, path),
            Data::String(text) => {
                let length = text.chars().count();
                self.check_count(
                    words,
                    ("minLength", "maxLength"),
                    length,
                    "characters",
                    node,
                    path,
                );
            }
            Data::List(items) => self.check_list(words, items, node, path),
            Data::Map(_) => self.check_map(words, node, path),
            Data::Null | Data::Bool(_) => {}
        }
    }

    fn check_type(&mut self, words: &Map<String, Value>, node: &Node, path: &str) -> bool {
        let types: Vec<&str> = match words.get("type") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        if types.iter().any(|kind| has_type(node, kind)) {
            return true;
        }
        let expected: Vec<_> = types
            .iter()
            .filter(|kind| **kind != "null" || types.len() == 1)
            .map(|kind| words_for(kind))
            .collect();
        let hint = (types.contains(&"string") && matches!(node.data, Data::Bool(_) | Data::Number(_)))
            .then(|| "Put quotes around it.".to_owned());
        self.find(
            node.span,
            format!(
                "`{path}` must be {}, found {}",
                expected.join(" or "),
                node.kind()
            ),
            hint,
        );
        false
    }

    fn check_choices(&mut self, choices: &[&Value], node: &Node, path: &str) {
        let value = node.to_value();
        if choices.iter().any(|choice| same(choice, &value)) {
            return;
        }
        let shown: Vec<_> = choices
            .iter()
            .take(20)
            .map(|choice| format!("`{}`", crate::expr::display(choice)))
            .collect();
        let found = match &node.data {
            Data::List(_) | Data::Map(_) => node.kind().to_owned(),
            _ => format!("`{}`", crate::expr::display(&value)),
        };
        let hint = node
            .as_str()
            .and_then(|text| did_you_mean(text, choices.iter().filter_map(|choice| choice.as_str())));
        let one_of = if shown.len() == 1 { "" } else { "one of " };
        self.find(
            node.span,
            format!("`{path}` must be {one_of}{}, found {found}", shown.join(", ")),
            hint,
        );
    }

    fn check_bounds(&mut self, words: &Map<String, Value>, number: Option<f64>, node: &Node, path: &str) {
        let Some(number) = number else { return };
        let rules: [Rule; 4] = [
            ("minimum", "at least", |number, bound| number >= bound),
            ("maximum", "at most", |number, bound| number <= bound),
            ("exclusiveMinimum", "more than", |number, bound| number > bound),
            ("exclusiveMaximum", "less than", |number, bound| number < bound),
        ];
        for (word, text, holds) in rules {
            if let Some(bound) = words.get(word)
                && bound.as_f64().is_some_and(|bound| !holds(number, bound))
            {
                self.find(
                    node.span,
                    format!("`{path}` must be {text} {bound}, found {number}"),
                    None,
                );
            }
        }
    }

    fn check_count(
        &mut self,
        words: &Map<String, Value>,
        (least, most): (&str, &str),
        count: usize,
        what: &str,
        node: &Node,
        path: &str,
    ) {
        let bound = |word: &str| {
            words
                .get(word)
                .and_then(Value::as_u64)
                .and_then(|bound| usize::try_from(bound).ok())
        };
        if let Some(bound) = bound(least).filter(|bound| count < *bound) {
            self.find(
                node.span,
                format!("`{path}` must have at least {bound} {what}, found {count}"),
                None,
            );
        }
        if let Some(bound) = bound(most).filter(|bound| count > *bound) {
            self.find(
                node.span,
                format!("`{path}` must have at most {bound} {what}, found {count}"),
                None,
            );
        }
    }

    fn check_list(&mut self, words: &'a Map<String, Value>, items: &[Node], node: &Node, path: &str) {
        self.check_count(
            words,
            ("minItems", "maxItems"),
            items.len(),
            "entries",
            node,
            path,
        );
        let first: &[Value] = words
            .get("prefixItems")
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice);
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(index).or_else(|| words.get("items")) {
                self.check(schema, item, &format!("{path}[{index}]"));
            }
        }
    }

    fn check_map(&mut self, words: &'a Map<String, Value>, node: &Node, path: &str) {
        let pairs = node.as_map().unwrap_or_default();
        let properties = words.get("properties").and_then(Value::as_object);
        for key in words
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if node.get(key).is_none() {
                let about = properties
                    .and_then(|known| known.get(key))
                    .and_then(|schema| schema.get("description"));
                let hint = about
                    .and_then(Value::as_str)
                    .map(|text| format!("`{key}`: {}", text.replace('\n', " ")));
                self.find(node.span, format!("`{path}` needs `{key}`"), hint);
            }
        }
        for pair in pairs {
            let inner = format!("{path}.{}", pair.key);
            if let Some(schema) = properties.and_then(|known| known.get(&pair.key)) {
                self.check(schema, &pair.value, &inner);
                continue;
            }
            match words.get("additionalProperties") {
                Some(Value::Bool(false)) => {
                    let known: Vec<&str> = properties
                        .into_iter()
                        .flat_map(Map::keys)
                        .map(String::as_str)
                        .collect();
                    let hint = did_you_mean(&pair.key, known.iter().copied()).unwrap_or_else(|| {
                        let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
                        if known.is_empty() {
                            "It has no keys.".into()
                        } else {
                            format!("Known keys: {}.", known.join(", "))
                        }
                    });
                    self.find(
                        pair.key_span,
                        format!("`{path}` has no key `{}`", pair.key),
                        Some(hint),
                    );
                }
                Some(schema) => self.check(schema, &pair.value, &inner),
                None => {}
            }
        }
    }
}

fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(reference.strip_prefix('#')?)
}

fn resolve_in<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..8 {
        match schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|name| resolve(root, name))
        {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// Whether a value is filled in later.
pub(crate) fn is_template(node: &Node) -> bool {
    node.as_str()
        .is_some_and(|text| text.replace("$${{", "").contains("${{"))
}

fn has_type(node: &Node, kind: &str) -> bool {
    match (&node.data, kind) {
        (Data::Null, "null")
        | (Data::Bool(_), "boolean")
        | (Data::Number(_), "number")
        | (Data::String(_), "string")
        | (Data::List(_), "array")
        | (Data::Map(_), "object") => true,
        (Data::Number(number), "integer") => !number.is_f64(),
        _ => false,
    }
}

fn words_for(kind: &str) -> &'static str {
    match kind {
        "null" => "nothing",
        "boolean" => "`true` or `false`",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        "object" => "a mapping",
        _ => "of another type",
    }
}

/// Equal, where `1` and `1.0` are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}
