//! What is done again and again: looking at files, taking over runs, forgetting.

use std::time::Duration;

use jiff::SignedDuration;

use twinloom_meta::Before;

use crate::{Engine, dags::DagFolder};

/// Keys of webhooks and messages are remembered for so long; a webhook's signature is good for minutes.
const SEEN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Decisions of triggers are kept for so long.
const DECISIONS: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Answers to writes with an idempotency key are good for a day.
const ANSWERS: SignedDuration = SignedDuration::from_hours(24);
/// Who did what is known for a year and some days: a yearly review finds all of its year.
const AUDIT: SignedDuration = SignedDuration::from_hours(400 * 24);
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
        let before = Before {
            seen: before(SEEN),
            decisions: before(DECISIONS),
            answers: before(ANSWERS),
            audit: before(AUDIT),
        };
        if let Err(error) = engine.config().meta.forget(before).await {
            tracing::warn!(%error, "what has served its time was not removed");
        }
        tokio::time::sleep(FORGET_EVERY).await;
    }
}
