//! Where secrets of triggers come from.

use async_trait::async_trait;

/// Looks secrets up by name.
#[async_trait]
pub trait Secrets: Send + Sync + 'static {
    /// The value, where it is set.
    async fn get(&self, name: &str) -> Option<String>;
}

/// Secrets in environment variables `TWINLOOM_SECRET_NAME`.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnvironmentSecrets;

#[async_trait]
impl Secrets for EnvironmentSecrets {
    async fn get(&self, name: &str) -> Option<String> {
        std::env::var(format!("TWINLOOM_SECRET_{name}"))
            .ok()
            .filter(|value| !value.is_empty())
    }
}
