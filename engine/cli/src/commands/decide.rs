//! `twinloom approve`, `reject`, `approvals`.

use jiff::Timestamp;
use serde_json::json;
use twinloom_runtime::Decision;

use super::{follow, runs};
use crate::{app::App, args::DecideArgs, error::CliError, output};

/// Records a decision and goes on with the run, unless another process already does or `--record-only` is given.
///
/// # Errors
/// What the engine says; how the run ended, if not well.
pub async fn decide(app: &App, args: &DecideArgs, approved: bool) -> Result<(), CliError> {
    let id = runs::find(app, &args.run).await?;
    let engine = app.engine(None).await?;
    let decision = Decision {
        approved,
        by: args.by.clone(),
        role: None,
        comment: args.comment.clone(),
    };
    engine.decide(&id, args.task.as_deref(), decision).await?;
    let word = if approved { "approved" } else { "rejected" };
    if !app.global.json {
        output::say(&format!("{word} by {}", args.by));
    }
    let events = engine.subscribe();
    if args.record_only {
        engine.shutdown().await;
        return if app.global.json {
            output::json(&json!({ "run": id, "decision": word, "by": args.by }))
        } else {
            Ok(())
        };
    }
    match engine.resume(&id).await {
        Ok(()) => {}
        Err(error) if error.code() == "run.owned" => {
            output::say("the process that runs it goes on with it");
        }
        Err(error) => return Err(error.into()),
    }
    let options = follow::Options {
        approve_as: None,
        wait: false,
        json: app.global.json,
    };
    follow::follow(&engine, &id, events, &options).await
}

/// `twinloom approvals`.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App) -> Result<(), CliError> {
    let open = app.meta().await?.open_approvals(None).await?;
    if app.global.json {
        return output::json(&open);
    }
    if open.is_empty() {
        output::say("Nothing waits for a person.");
        return Ok(());
    }
    let now = Timestamp::now();
    for row in &open {
        output::line(&format!(
            "{}  {}  asked {}",
            row.run,
            row.task,
            output::ago(row.opened_at, now)
        ));
        output::line(&format!("  {}", row.request["question"].as_str().unwrap_or("")));
        output::line(&follow::evidence(&row.request["evidence"]));
    }
    output::say("Answer with `twinloom approve RUN --as NAME` or `twinloom reject RUN --as NAME`.");
    Ok(())
}
