//! The JSON Schema of a DAG's parameters, from which the run form is made.

use serde_json::{Map, Value, json};
use twinloom_spec::{
    NameMap,
    model::{ParamSpec, ParamType},
};

/// The schema of an object with the parameters as properties.
pub fn schema(params: Option<&NameMap<ParamSpec>>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, entry) in params.into_iter().flat_map(NameMap::iter) {
        if entry.value.is_required() {
            required.push(Value::from(name));
        }
        properties.insert(name.to_owned(), of(&entry.value));
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A value for each parameter that needs one, so that a DAG can be drawn before anyone has filled in the form.
pub fn examples(params: Option<&NameMap<ParamSpec>>) -> Map<String, Value> {
    let needed = params
        .into_iter()
        .flat_map(NameMap::iter)
        .filter(|(_, entry)| entry.value.is_required());
    needed
        .map(|(name, entry)| (name.to_owned(), example(&entry.value)))
        .collect()
}

fn example(param: &ParamSpec) -> Value {
    if let Some(first) = param.choices.as_ref().and_then(|choices| choices.first()) {
        return first.to_value();
    }
    let least = param.minimum.as_ref().map_or(1.0, |least| least.value);
    match param.kind.as_ref().map(|kind| kind.value) {
        Some(ParamType::Integer) => json!(least.ceil()),
        Some(ParamType::Number) => json!(least),
        Some(ParamType::Boolean) => json!(false),
        Some(ParamType::Array) => json!([]),
        Some(ParamType::Object) => json!({}),
        Some(ParamType::String) | None => json!("example"),
    }
}

fn of(param: &ParamSpec) -> Value {
    let mut schema = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            schema.insert(key.to_owned(), value);
        }
    };
    put("type", param.kind.as_ref().map(|kind| kind.value.as_str().into()));
    put("title", param.title.clone().map(Value::from));
    put("description", param.description.clone().map(Value::from));
    put(
        "default",
        param.default.as_ref().map(twinloom_spec::Node::to_value),
    );
    let choices = param.choices.as_ref();
    put(
        "enum",
        choices.map(|choices| choices.iter().map(twinloom_spec::Node::to_value).collect()),
    );
    put("minimum", param.minimum.as_ref().map(|least| number(least.value)));
    put("maximum", param.maximum.as_ref().map(|most| number(most.value)));
    put("items", param.items.as_ref().map(|items| of(&items.0)));
    if let Some(properties) = &param.properties {
        let inner = properties
            .iter()
            .map(|(name, entry)| (name.to_owned(), of(&entry.value.0)));
        put("properties", Some(Value::Object(inner.collect())));
    }
    Value::Object(schema)
}

/// Whole numbers without `.0`, as forms show them.
fn number(value: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return Value::from(value as i64);
    }
    Value::from(value)
}
