//! Where the values of secrets come from.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::Value;
use twinloom_sdk::{OperatorError, SECRET_PREFIX, Secrets, secrets::reference};

/// Looks secrets up by name.
#[async_trait]
pub trait SecretSource: Send + Sync + 'static {
    /// The value; none where the secret is not set.
    ///
    /// # Errors
    /// Where it is set and cannot be had. Never holds the value.
    async fn get(&self, name: &str) -> Result<Option<String>, OperatorError>;
}

/// Secrets in environment variables `TWINLOOM_SECRET_NAME`.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnvironmentSecrets;

#[async_trait]
impl SecretSource for EnvironmentSecrets {
    async fn get(&self, name: &str) -> Result<Option<String>, OperatorError> {
        let value = std::env::var(format!("{SECRET_PREFIX}{name}")).ok();
        Ok(value.filter(|value| !value.is_empty()))
    }
}

/// The names of the secrets that a task may have: what stands as `secret:NAME` in its configuration, in a place where its
/// author wrote `secret:`. What a parameter, a payload or an earlier step brings in is text, whatever it looks like.
pub(crate) fn named(written: &Value, rendered: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut open = vec![(written, rendered)];
    while let Some(pair) = open.pop() {
        match pair {
            (Value::String(written), Value::String(rendered)) if written.starts_with("secret:") => {
                names.extend(reference(rendered).map(str::to_owned));
            }
            (Value::Array(written), Value::Array(rendered)) => open.extend(written.iter().zip(rendered)),
            (Value::Object(written), Value::Object(rendered)) => {
                open.extend(
                    written
                        .iter()
                        .filter_map(|(key, value)| Some((value, rendered.get(key)?))),
                );
            }
            _ => {}
        }
    }
    names
}

/// Those of these secrets that are set. Whether one that is not is missed is for the operator to say: a configuration may
/// hold texts that only look like references.
pub(crate) async fn values(
    source: &dyn SecretSource,
    names: &BTreeSet<String>,
) -> Result<Secrets, OperatorError> {
    let mut values = BTreeMap::new();
    for name in names {
        if let Some(value) = source.get(name).await? {
            values.insert(name.clone(), value);
        }
    }
    Ok(Secrets::new(values))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_the_author_wrote_as_a_secret_is_one() {
        let written = json!({
            "env": {"KEY": "secret:ONE", "OTHER": "secret:${{ params.which }}", "TEXT": "${{ params.text }}"},
            "list": ["secret:TWO", "${{ steps.before.metrics.word }}"],
            "all": "${{ params.all }}",
        });
        let rendered = json!({
            "env": {"KEY": "secret:ONE", "OTHER": "secret:CHOSEN", "TEXT": "secret:STOLEN"},
            "list": ["secret:TWO", "secret:STOLEN"],
            "all": {"KEY": "secret:STOLEN"},
        });
        let names: Vec<String> = named(&written, &rendered).into_iter().collect();
        assert_eq!(names, ["CHOSEN", "ONE", "TWO"]);
    }
}
