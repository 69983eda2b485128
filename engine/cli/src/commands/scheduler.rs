//! `twinloom scheduler`: stays up and goes on with what is interrupted or decided.

use std::time::Duration;

use serde_json::json;
use twinloom_meta::{RunFilter, RunState};

use crate::{app::App, error::CliError, output, signals};

/// How often runs that other processes left behind are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs until it is asked to stop.
///
/// # Errors
/// What the engine says on starting.
pub async fn run(app: &App) -> Result<(), CliError> {
    let engine = app.engine(None).await?;
    let meta = app.meta().await?;
    let resumed = engine.recover().await?;
    if app.global.json {
        output::json(&json!({ "ready": true, "resumed": resumed }))?;
    } else {
        output::say(&format!("ready; {} interrupted runs go on", resumed.len()));
    }
    // One for all turns: a signal that comes while runs are looked for is heard after it.
    let stop = signals::interrupted();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let filter = RunFilter {
            states: RunState::OPEN.to_vec(),
            limit: 1,
            ..RunFilter::default()
        };
        if !meta.runs(&filter).await?.is_empty() {
            engine.recover().await?;
        }
    }
    engine.shutdown().await;
    Ok(())
}
