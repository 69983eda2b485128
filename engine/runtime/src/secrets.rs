//! Where the values of secrets come from.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;
use twinloom_sdk::{OperatorError, SECRET_PREFIX, Secrets};

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

/// The secrets that a configuration refers to and that are set. Whether one that is not is missed is for the operator
/// to say: its configuration may hold texts that only look like references.
pub(crate) async fn of_config(source: &dyn SecretSource, config: &Value) -> Result<Secrets, OperatorError> {
    let mut values = BTreeMap::new();
    for name in Secrets::named_in(config) {
        if let Some(value) = source.get(name).await? {
            values.insert(name.to_owned(), value);
        }
    }
    Ok(Secrets::new(values))
}
