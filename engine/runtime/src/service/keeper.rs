//! What is done again and again: looking at files, taking over runs, forgetting.

use std::time::Duration;

use jiff::SignedDuration;

use crate::{Engine, dags::DagFolder};

/// Keys of webhooks and messages are remembered for so long; a webhook's signature is good for minutes.
const SEEN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Decisions of triggers are kept for so long.
const DECISIONS: SignedDuration = SignedDuration::from_hours(30 * 24);
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// Reads files that have changed.
pub async fn watch(dags: DagFolder, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let dags = dags.clone();
        match tokio::task::spawn_blocking(move || dags.reload()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the DAG files could not be looked at"),
            Err(error) => tracing::error!(%error, "reading the DAG files failed"),
        }
    }
}

/// Goes on with runs whose process is gone.
pub async fn recover(engine: Engine, every: Duration) {
    loop {
        if let Err(error) = engine.recover().await {
            tracing::warn!(%error, "interrupted runs could not be looked for");
        }
        tokio::time::sleep(every).await;
    }
}

/// Removes what has served its time.
pub async fn forget(engine: Engine) {
    loop {
        let now = engine.now();
        let before = |age: SignedDuration| now.checked_sub(age).unwrap_or(jiff::Timestamp::MIN);
        if let Err(error) = engine.config().meta.forget(before(SEEN), before(DECISIONS)).await {
            tracing::warn!(%error, "old decisions were not removed");
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}
