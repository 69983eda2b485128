//! `twinloom run`, `retry`: submit or resume, then follow.

use serde_json::json;
use twinloom_runtime::{Engine, EngineError, Submit};

use super::{files, follow};
use crate::{account, app::App, args::RunArgs, commands::runs, error::CliError};

/// `twinloom run`.
///
/// # Errors
/// Diagnostics of the file; what the engine says; how the run ended, if not well.
pub async fn run(app: &App, args: &RunArgs) -> Result<(), CliError> {
    named(args.approve_as.as_deref())?;
    let options = follow::Options {
        approve_as: args.approve_as.clone(),
        wait: args.wait,
        json: app.global.json,
    };
    if let Some(run) = &args.resume {
        let id = runs::resumable(app, run, args.file.as_deref()).await?;
        let engine = app.engine(args.jobs).await?;
        let events = engine.subscribe();
        engine.resume(&id).await?;
        return follow::follow(&engine, &id, events, &options).await;
    }
    let Some(path) = &args.file else {
        return Err(CliError::usage(
            "run.file",
            "no DAG file is named",
            "Write `twinloom run FILE`.",
        ));
    };
    let file = files::read(path)?;
    let library = files::library(path, args.params.pipelines.as_deref())?;
    let params = files::params(&file, &args.params)?;
    let mut plan = twinloom_spec::plan(&file, &library, app.registry.as_ref(), &params)?;
    if args.no_cache {
        plan.tasks.iter_mut().for_each(|task| task.cache = false);
    }
    let engine = app.engine(args.jobs).await?;
    let events = engine.subscribe();
    let id = submit(&engine, plan, file.text).await?;
    follow::follow(&engine, &id, events, &options).await
}

async fn submit(engine: &Engine, plan: twinloom_spec::Plan, dag_text: String) -> Result<String, CliError> {
    let trigger = json!({ "kind": "manual", "by": account::name() });
    Ok(engine
        .submit(Submit {
            plan,
            dag_text,
            trigger,
            run_id: None,
        })
        .await?)
}

/// Nobody's name under an approval is found out before the run, and not at its end.
fn named(approve_as: Option<&str>) -> Result<(), CliError> {
    match approve_as {
        Some(name) if name.trim().is_empty() => Err(EngineError::NoName.into()),
        _ => Ok(()),
    }
}

/// `twinloom retry`.
///
/// # Errors
/// What the engine says; how the run ended, if not well.
pub async fn retry(
    app: &App,
    run: &str,
    from: Option<&str>,
    approve_as: Option<String>,
) -> Result<(), CliError> {
    named(approve_as.as_deref())?;
    let id = runs::find(app, run).await?;
    let engine = app.engine(None).await?;
    let events = engine.subscribe();
    engine.retry(&id, from, &account::name()).await?;
    let options = follow::Options {
        approve_as,
        wait: false,
        json: app.global.json,
    };
    follow::follow(&engine, &id, events, &options).await
}
