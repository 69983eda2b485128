//! What starts runs.

mod conditions;
mod outside;
mod schedules;

use std::sync::Arc;

use async_trait::async_trait;
use twinloom_runtime::{Clock, Engine, ManualClock, SecretSource, Service, ServiceConfig};
use twinloom_sdk::OperatorError;

use crate::support::{self, Home, runs_of};

const SECRET: &str = "a key that nobody knows";

struct Known;

#[async_trait]
impl SecretSource for Known {
    async fn get(&self, name: &str) -> Result<Option<String>, OperatorError> {
        Ok((name == "HOOK").then(|| SECRET.to_owned()))
    }
}

/// A service whose clock stands still until it is moved.
async fn clocked(home: &Home, now: &str) -> (Service, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(now.parse().unwrap()));
    let shared = Arc::clone(&clock) as Arc<dyn Clock>;
    let engine = home
        .engine_with(|config| {
            config.clock = shared;
            config.secrets = Arc::new(Known);
        })
        .await;
    let config = ServiceConfig {
        recover_every: None,
        ..ServiceConfig::default()
    };
    let dags = support::dags(&engine);
    (Service::start(engine, dags, config).await.unwrap(), clock)
}

async fn count(engine: &Engine, dag: &str) -> usize {
    runs_of(engine, dag).await.len()
}
