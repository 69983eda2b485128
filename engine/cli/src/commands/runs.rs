//! `twinloom runs`, `show`, `logs`, `cancel`, `why`.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use serde_json::json;
use twinloom_meta::{RunFilter, RunHead, RunState};
use twinloom_runtime::LogLine;

use super::{files, follow};
use crate::{account, app::App, error::CliError, output};

/// Lines of a log that are read at once.
const LINES: u64 = 5000;

/// The full id for an id, the start of one, or `latest`.
///
/// # Errors
/// `run.not_found`.
pub async fn find(app: &App, run: &str) -> Result<String, CliError> {
    let meta = app.meta().await?;
    if run != "latest" {
        return Ok(meta.run(run).await?.id);
    }
    let newest = meta
        .runs(&RunFilter {
            limit: 1,
            ..RunFilter::default()
        })
        .await?;
    newest.into_iter().next().map(|run| run.id).ok_or_else(no_runs)
}

fn no_runs() -> CliError {
    CliError::not_found(
        "run.not_found",
        "there are no such runs",
        "`twinloom run dags/twin.yaml` makes one.",
    )
}

/// The run to go on with: the one named, or the newest that has not ended (of the DAG of `file`, where one is given).
///
/// # Errors
/// `run.not_found`.
pub async fn resumable(app: &App, run: &str, file: Option<&Path>) -> Result<String, CliError> {
    if run != "latest" {
        return find(app, run).await;
    }
    let dag = match file {
        Some(path) => Some(twinloom_spec::parse_dag(&files::read(path)?)?.name.value.0),
        None => None,
    };
    let filter = RunFilter {
        states: RunState::OPEN.to_vec(),
        dag,
        limit: 1,
        ..RunFilter::default()
    };
    let newest = app.meta().await?.runs(&filter).await?;
    newest.into_iter().next().map(|run| run.id).ok_or_else(|| {
        CliError::not_found(
            "run.not_found",
            "no run was interrupted or waits",
            "`twinloom runs` lists all of them.",
        )
    })
}

/// `twinloom runs`.
///
/// # Errors
/// What the database says.
pub async fn list(app: &App, dag: Option<String>, state: Option<&str>, limit: u64) -> Result<(), CliError> {
    let states = match state {
        Some(word) => {
            let state = word.parse::<RunState>().map_err(|error| {
                CliError::usage("run.state", error, "Write one of those words after --state.")
            })?;
            vec![state]
        }
        None => Vec::new(),
    };
    let runs = app
        .meta()
        .await?
        .runs(&RunFilter {
            states,
            dag,
            limit,
            ..RunFilter::default()
        })
        .await?;
    if app.global.json {
        return output::json(&runs);
    }
    if runs.is_empty() {
        output::say("There are no such runs: `twinloom run dags/twin.yaml` makes one.");
        return Ok(());
    }
    let now = Timestamp::now();
    let row = |run: &RunHead| {
        let took = run
            .ended_at
            .map(|end| output::duration(run.created_at, end))
            .unwrap_or_default();
        vec![
            run.id.clone(),
            run.dag.clone(),
            run.state.to_string(),
            output::ago(run.created_at, now),
            took,
        ]
    };
    output::table(
        &["run", "dag", "state", "asked", "took"],
        &runs.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

/// `twinloom show`.
///
/// # Errors
/// `run.not_found`.
pub async fn show(app: &App, run: &str) -> Result<(), CliError> {
    let id = find(app, run).await?;
    let engine = app.engine(None).await?;
    let summary = engine.summary(&id).await?;
    if app.global.json {
        return output::json(&follow::document(&summary));
    }
    follow::print_summary(&summary);
    for task in summary.tasks.iter().filter(|task| !task.metrics.is_empty()) {
        output::line(&format!("\n{}", task.id));
        output::line(&follow::evidence(&json!(task.metrics)));
    }
    for decision in app.meta().await?.decisions(&id).await? {
        let word = if decision.approved { "approved" } else { "rejected" };
        let comment = decision
            .comment
            .map(|text| format!(": {text}"))
            .unwrap_or_default();
        output::line(&format!(
            "\n{} {word} by {} at {}{comment}",
            decision.task,
            decision.by,
            output::time(decision.at)
        ));
    }
    Ok(())
}

/// `twinloom logs`.
///
/// # Errors
/// `run.not_found`, `task.not_found`.
pub async fn logs(app: &App, run: &str, task: Option<&str>, follow: bool) -> Result<(), CliError> {
    let id = find(app, run).await?;
    let engine = app.engine(None).await?;
    let mut places: std::collections::HashMap<String, u64> = std::collections::HashMap::new();
    loop {
        let summary = engine.summary(&id).await?;
        if let Some(name) = task
            && !summary.tasks.iter().any(|task| task.id == name)
        {
            let known: Vec<_> = summary
                .tasks
                .iter()
                .map(|task| task.id.as_str())
                .take(20)
                .collect();
            return Err(CliError::not_found(
                "task.not_found",
                format!("run {id} has no task `{name}`"),
                format!("It has {}.", known.join(", ")),
            ));
        }
        for row in summary
            .tasks
            .iter()
            .filter(|row| task.is_none_or(|task| task == row.id))
        {
            let place = places.entry(row.id.clone()).or_default();
            loop {
                let page = engine.log_page(&id, &row.id, *place, LINES).await?;
                page.lines
                    .iter()
                    .try_for_each(|(_, line)| print_log(app.global.json, &row.id, line))?;
                *place = page.next;
                if page.end {
                    break;
                }
            }
        }
        if !follow || summary.ended_at.is_some() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Prints a line of a task's log.
///
/// # Errors
/// When it does not serialise.
pub fn print_log(json: bool, task: &str, line: &LogLine) -> Result<(), CliError> {
    if json {
        return output::json(&serde_json::json!({ "task": task, "line": line }));
    }
    let level = serde_json::to_value(line.level)?;
    output::line(&format!(
        "{} {task} {} {}",
        line.time,
        level.as_str().unwrap_or(""),
        line.message
    ));
    Ok(())
}

/// `twinloom cancel`.
///
/// # Errors
/// `run.not_found`, `run.ended`.
pub async fn cancel(app: &App, run: &str, reason: &str) -> Result<(), CliError> {
    let id = find(app, run).await?;
    let engine = app.engine(None).await?;
    engine.cancel(&id, &account::name(), reason).await?;
    engine.shutdown().await;
    if app.global.json {
        return output::json(&json!({ "run": id, "cancelled": true }));
    }
    output::line(&format!("run {id} is cancelled"));
    Ok(())
}

/// `twinloom why`.
///
/// # Errors
/// `run.not_found`, `task.not_found`.
pub async fn why(app: &App, run: &str, task: Option<&str>) -> Result<(), CliError> {
    let id = find(app, run).await?;
    let why = app.engine(None).await?.why(&id, task).await?;
    if app.global.json {
        return output::json(&why);
    }
    output::line(why.text.trim_end());
    Ok(())
}
