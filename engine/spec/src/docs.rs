//! The reference page of the YAML, made from the schemas and the catalogue of errors.

use std::fmt::Write;

use serde_json::{Map, Value};

use crate::{
    diagnostic::codes,
    schema::{json_schema, pipeline_json_schema},
};

/// Markdown: every key of DAG and pipeline files with its type and meaning, and every error code.
#[must_use]
pub fn reference_docs() -> String {
    let mut out = String::from("# YAML reference\n");
    let (dag, pipeline) = (json_schema(), pipeline_json_schema());
    section(&mut out, "Dag", &dag);
    section(&mut out, "Pipeline", &pipeline);
    let mut parts: Map<String, Value> = Map::new();
    for schema in [&dag, &pipeline] {
        parts.extend(schema["$defs"].as_object().cloned().unwrap_or_default());
    }
    for (name, schema) in &parts {
        section(&mut out, name, schema);
    }
    out.push_str("\n## Errors\n\n| Code | Meaning |\n|---|---|\n");
    for (code, meaning) in codes::ALL {
        row(&mut out, &[&format!("`{code}`"), meaning.trim()]);
    }
    out
}

fn section(out: &mut String, name: &str, schema: &Value) {
    let _ = write!(out, "\n## {name}\n\n{}\n", text(&schema["description"]));
    if let Some(properties) = schema["properties"].as_object() {
        out.push_str("\n| Key | Type | Meaning |\n|---|---|---|\n");
        let required = |key: &str| {
            schema["required"]
                .as_array()
                .is_some_and(|keys| keys.iter().any(|known| known == key))
        };
        for (key, value) in properties {
            let mark = if required(key) { " (required)" } else { "" };
            row(
                out,
                &[
                    &format!("`{key}`{mark}"),
                    &type_of(value),
                    &text(&value["description"]),
                ],
            );
        }
    } else if let Some(choices) = schema["oneOf"].as_array() {
        out.push('\n');
        for choice in choices {
            let _ = writeln!(
                out,
                "- `{}`: {}",
                text(&choice["const"]),
                text(&choice["description"])
            );
        }
    } else if let Some(examples) = schema["examples"].as_array() {
        let examples: Vec<_> = examples
            .iter()
            .map(|example| format!("`{}`", text(example)))
            .collect();
        let _ = write!(out, "\nExamples: {}.\n", examples.join(", "));
    }
}

fn row(out: &mut String, cells: &[&str]) {
    let cells: Vec<_> = cells
        .iter()
        .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
        .collect();
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The type in words, with links to the sections.
fn type_of(schema: &Value) -> String {
    if let Some(target) = schema["$ref"]
        .as_str()
        .and_then(|target| target.rsplit('/').next())
    {
        return format!("[{target}](#{})", target.to_lowercase());
    }
    if let Some(branches) = schema["anyOf"].as_array() {
        let kinds: Vec<_> = branches
            .iter()
            .filter(|branch| branch["type"] != "null")
            .map(type_of)
            .collect();
        return kinds.join(" or ");
    }
    if let Some(constant) = schema["const"].as_str() {
        return format!("`{constant}`");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .filter(|kind| *kind != "null")
            .collect(),
        _ => return "anything".to_owned(),
    };
    match kinds.as_slice() {
        ["array"] => format!("list of {}", type_of(&schema["items"])),
        ["object"] => format!(
            "mapping from names to {}",
            type_of(&schema["additionalProperties"])
        ),
        other => other.join(" or "),
    }
}
