//! Parameters: declarations, and the values that are given.

use serde_json::{Map, Value, json};

use super::schema::check_schema;
use crate::{
    diagnostic::{Diagnostic, Report, codes},
    model::{Dag, ParamSpec, ParamType},
    read::NameMap,
    source::Source,
    yaml::{Node, Span},
};

impl ParamSpec {
    /// Whether a run must give a value.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.default.is_none() && self.required.as_ref().is_none_or(|required| required.value)
    }

    /// The declaration as JSON Schema.
    #[must_use]
    pub fn schema(&self) -> Value {
        let mut schema = Map::new();
        if let Some(kind) = &self.kind {
            schema.insert("type".into(), json!(kind.as_str()));
        }
        let texts = [("title", &self.title), ("description", &self.description)];
        for (word, text) in texts
            .into_iter()
            .filter_map(|(word, text)| text.as_ref().map(|text| (word, text)))
        {
            schema.insert(word.into(), json!(text));
        }
        if let Some(default) = &self.default {
            schema.insert("default".into(), default.to_value());
        }
        if let Some(choices) = &self.choices {
            schema.insert("enum".into(), choices.iter().map(Node::to_value).collect());
        }
        for (word, bound) in [("minimum", &self.minimum), ("maximum", &self.maximum)] {
            if let Some(bound) = bound {
                schema.insert(word.into(), number(bound.value));
            }
        }
        if let Some(items) = &self.items {
            schema.insert("items".into(), items.0.schema());
        }
        if let Some(properties) = &self.properties {
            let required: Vec<_> = properties
                .iter()
                .filter(|(_, entry)| {
                    entry
                        .value
                        .0
                        .required
                        .as_ref()
                        .is_some_and(|required| required.value)
                })
                .map(|(name, _)| name)
                .collect();
            schema.insert("required".into(), json!(required));
            let members = properties
                .iter()
                .map(|(name, entry)| (name.to_owned(), entry.value.0.schema()));
            schema.insert("properties".into(), Value::Object(members.collect()));
            schema.insert("additionalProperties".into(), json!(false));
        }
        Value::Object(schema)
    }
}

/// `1`, not `1.0`, where it is whole.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "whole, and far inside of i64")]
    if value.fract() == 0.0 && value.abs() < 1e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

impl Dag {
    /// The parameters as one JSON Schema, for forms.
    #[must_use]
    pub fn params_schema(&self) -> Value {
        let params = || self.params.iter().flat_map(NameMap::iter);
        let properties: Map<_, _> = params()
            .map(|(name, entry)| (name.to_owned(), entry.value.schema()))
            .collect();
        let required: Vec<_> = params()
            .filter(|(_, entry)| entry.value.is_required())
            .map(|(name, _)| name)
            .collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }

    /// Whether a parameter is declared as text.
    #[must_use]
    pub fn param_is_text(&self, name: &str) -> bool {
        let spec = self.params.as_ref().and_then(|params| params.get(name));
        spec.and_then(|spec| spec.kind.as_ref())
            .is_some_and(|kind| kind.value == ParamType::String)
    }

    /// The value that a text stands for, as `--param NAME=TEXT` gives it: text where the declaration says so, YAML else.
    #[must_use]
    pub fn param_value(&self, name: &str, text: &str) -> Value {
        if self.param_is_text(name) {
            Value::String(text.to_owned())
        } else {
            crate::load::read_value(text)
        }
    }
}

/// Reports declarations that contradict themselves.
pub(super) fn check_declarations(params: &NameMap<ParamSpec>, source: &Source, report: &mut Report) {
    for (name, entry) in params.iter() {
        check_declaration(name, &entry.value, source, report);
        let spec = &entry.value;
        if let (Some(required), Some(default)) = (&spec.required, &spec.default)
            && required.value
        {
            let message = format!("the parameter `{name}` is required and has a default");
            report.push(
                Diagnostic::new(source, required.span, codes::PARAM_DECLARATION, message)
                    .with_hint("Keep one of the two.")
                    .with_label(source, default.span, "the default"),
            );
        }
    }
}

fn check_declaration(name: &str, spec: &ParamSpec, source: &Source, report: &mut Report) {
    use ParamType::{Array, Integer, Number, Object};
    let kind = spec.kind.as_ref().map(|kind| kind.value);
    let mut only_for = |present: Option<Span>, word: &str, kinds: &[ParamType]| {
        if let (Some(span), Some(kind)) = (present, kind)
            && !kinds.contains(&kind)
        {
            let message = format!(
                "`{word}` means nothing for the type `{}` of `{name}`",
                kind.as_str()
            );
            report.error(source, span, codes::PARAM_DECLARATION, message);
        }
    };
    only_for(
        spec.minimum.as_ref().map(|bound| bound.span),
        "minimum",
        &[Integer, Number],
    );
    only_for(
        spec.maximum.as_ref().map(|bound| bound.span),
        "maximum",
        &[Integer, Number],
    );
    let kind_span = spec.kind.as_ref().map(|kind| kind.span);
    only_for(spec.items.as_ref().and(kind_span), "items", &[Array]);
    only_for(
        spec.properties.as_ref().map(|properties| properties.span),
        "properties",
        &[Object],
    );
    if let (Some(minimum), Some(maximum)) = (&spec.minimum, &spec.maximum)
        && minimum.value > maximum.value
    {
        let message = format!("the minimum of `{name}` is above its maximum");
        report.error(source, minimum.span, codes::PARAM_DECLARATION, message);
    }
    let mut schema = spec.schema();
    if let Some(default) = &spec.default {
        check(
            &schema,
            default,
            &format!("{name}.default"),
            codes::PARAM_DECLARATION,
            source,
            report,
        );
    }
    if let Value::Object(words) = &mut schema {
        words.remove("enum");
    }
    for choice in spec.choices.iter().flatten() {
        check(
            &schema,
            choice,
            &format!("{name}.enum"),
            codes::PARAM_DECLARATION,
            source,
            report,
        );
    }
    if let Some(items) = &spec.items {
        check_declaration(&format!("{name}.items"), &items.0, source, report);
    }
    for (inner, entry) in spec.properties.iter().flat_map(NameMap::iter) {
        check_declaration(&format!("{name}.{inner}"), &entry.value.0, source, report);
    }
}

/// Checks a value against a schema and reports what is wrong.
pub(crate) fn check(
    schema: &Value,
    node: &Node,
    name: &str,
    code: &'static str,
    source: &Source,
    report: &mut Report,
) {
    for found in check_schema(schema, node, name) {
        report.error(source, found.span, code, found.message).hint = found.hint;
    }
}

/// The parameters of a run: what is given over the defaults, checked. Mistakes are reported at the declaration.
pub(crate) fn resolve(
    params: Option<&NameMap<ParamSpec>>,
    given: &Map<String, Value>,
    source: &Source,
    report: &mut Report,
) -> Map<String, Value> {
    let mut resolved = Map::new();
    let none = NameMap::default();
    let params = params.unwrap_or(&none);
    for name in given
        .keys()
        .filter(|name| params.get(name).is_none() && !params.is_broken(name))
    {
        let message = format!("there is no parameter `{name}`");
        let hint = params.suggest(name, "parameters");
        report
            .error(
                source,
                Span::new(params.span.start, params.span.start),
                codes::UNKNOWN_PARAM,
                message,
            )
            .hint = Some(hint);
    }
    for (name, entry) in params.iter() {
        let spec = &entry.value;
        let value = match (given.get(name), &spec.default) {
            (Some(value), default) => {
                let own = default
                    .as_ref()
                    .is_some_and(|default| default.to_value() == *value);
                if !own && names_secret(value) {
                    let message = format!("the value of the parameter `{name}` names a secret");
                    report
                        .error(source, entry.key_span, codes::PARAM_VALUE, message)
                        .hint = Some(
                        "Who may start a run must not choose its secrets: write `secret:NAME` in the DAG file.".to_owned(),
                    );
                }
                check(
                    &spec.schema(),
                    &Node::from_value(value, entry.key_span),
                    name,
                    codes::PARAM_VALUE,
                    source,
                    report,
                );
                value.clone()
            }
            (None, Some(default)) => default.to_value(),
            (None, None) => {
                if spec.is_required() {
                    let message = format!("the parameter `{name}` needs a value");
                    let about = spec
                        .description
                        .as_deref()
                        .map(|text| format!("{text} "))
                        .unwrap_or_default();
                    report
                        .error(source, entry.key_span, codes::MISSING_PARAM, message)
                        .hint = Some(format!("{about}Give it with `--param {name}=VALUE`."));
                }
                Value::Null
            }
        };
        resolved.insert(name.to_owned(), value);
    }
    resolved
}

/// Whether a text in it is a reference to a secret.
fn names_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with("secret:"),
        Value::Array(values) => values.iter().any(names_secret),
        Value::Object(values) => values.values().any(names_secret),
        _ => false,
    }
}
