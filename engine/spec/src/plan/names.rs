//! Names of tasks, and of what they publish.

use std::collections::HashMap;

use serde_json::Value;

/// A variant's value in a task's id, where it is short and plain; else nothing.
pub(super) fn value_label(value: &Value) -> Option<String> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::String(text) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            (!text.is_empty() && text.len() <= 40 && text.chars().all(plain)).then(|| text.clone())
        }
        _ => None,
    }
}

/// What an output publishes unless the file says: `dag.step.port`, with the variant where there are several.
pub(super) fn published<T>(dag: &str, task: &str, port: &str, taken: &HashMap<String, T>) -> String {
    let mut name = String::with_capacity(dag.len() + task.len() + port.len() + 2);
    for c in format!("{dag}.{task}.{port}").chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-') => name.push(c),
            '/' | '[' | '.' if !name.ends_with('.') => name.push('.'),
            ']' | '/' | '[' | '.' => {}
            _ => name.push('-'),
        }
    }
    let mut unique = name.clone();
    let mut number = 2;
    while taken.contains_key(&unique) {
        unique = format!("{name}-{number}");
        number += 1;
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_safe_and_unique() {
        let mut taken = HashMap::new();
        let mut published = |dag: &str, task: &str, port: &str| {
            let name = published(dag, task, port, &taken);
            taken.insert(name.clone(), ());
            name
        };
        assert_eq!(
            published("twin", "Training/train", "model"),
            "twin.training.train.model"
        );
        assert_eq!(
            published("twin", "t[rank=8,lr=0.1]", "m"),
            "twin.t.rank-8-lr-0.1.m"
        );
        assert_eq!(
            published("twin", "t[rank=8,lr-0.1]", "m"),
            "twin.t.rank-8-lr-0.1.m-2"
        );
        assert_eq!(published("twin", "f[2]/x", "m"), "twin.f.2.x.m");
        assert_eq!(value_label(&json!("a b")), None);
        assert_eq!(value_label(&json!(0.0001)).as_deref(), Some("0.0001"));
    }
}
