//! Follows a run to its end: progress, questions to the person, the result.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, IsTerminal, Write},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    sync::{
        broadcast::{Receiver, error::RecvError},
        watch,
    },
    time::timeout,
};
use twinloom_meta::{RunState, TaskState};
use twinloom_runtime::{Decision, Engine, EngineEvent, RunSummary, TaskSummary, WaitFor};

use crate::{account, error::CliError, output, progress::Progress, signals};

/// How long a question waits until what came before it is on the screen.
const DRAWN: Duration = Duration::from_millis(500);

/// How to follow.
pub struct Options {
    /// Approve whatever is asked, in this name.
    pub approve_as: Option<String>,
    /// Keep waiting for somebody's approval.
    pub wait: bool,
    /// Events and the result as JSON lines.
    pub json: bool,
}

/// Follows `run` until it ends or waits for a person who is not here.
///
/// # Errors
/// `run.failed` (exit 1), `run.waiting` (4), `run.cancelled` (5).
pub async fn follow(
    engine: &Engine,
    run: &str,
    events: Receiver<EngineEvent>,
    options: &Options,
) -> Result<(), CliError> {
    if !options.json {
        output::say(&format!("run {run}"));
    }
    let (seen, shown) = watch::channel(BTreeSet::new());
    let progress = Progress::new(options.json);
    let printer = tokio::spawn(print_events(events, run.to_owned(), progress, seen));
    let ended = tokio::select! {
        ended = until_end(engine, run, options, shown) => ended,
        () = signals::interrupted() => interrupted(engine, run).await,
    };
    printer.abort();
    let _ = printer.await;
    let summary = ended?;
    engine.shutdown().await;
    report(&summary, options.json)
}

/// Who leaves while the run only waits for a person leaves it waiting; what runs is ended.
async fn interrupted(engine: &Engine, run: &str) -> Result<RunSummary, CliError> {
    let summary = engine.summary(run).await?;
    let is = |state| move |task: &TaskSummary| task.state == state;
    let waits = summary.tasks.iter().any(is(TaskState::Waiting));
    let busy = [TaskState::Running, TaskState::Queued]
        .into_iter()
        .any(|state| summary.tasks.iter().any(is(state)));
    if waits && !busy {
        output::say("");
        return Ok(summary);
    }
    output::say("cancelling the run; its tasks are ended (once more ends at once)");
    engine.cancel(run, "terminal", "interrupted").await?;
    Ok(engine.wait(run, WaitFor::Ended).await?)
}

async fn until_end(
    engine: &Engine,
    run: &str,
    options: &Options,
    mut shown: watch::Receiver<BTreeSet<String>>,
) -> Result<RunSummary, CliError> {
    loop {
        let summary = engine.wait(run, WaitFor::EndedOrWaiting).await?;
        let waiting: Vec<&TaskSummary> = summary
            .tasks
            .iter()
            .filter(|task| task.state == TaskState::Waiting)
            .collect();
        if summary.ended_at.is_some() || waiting.is_empty() {
            return Ok(summary);
        }
        for task in waiting {
            let decision = match &options.approve_as {
                Some(by) => Some(Decision {
                    approved: true,
                    by: by.clone(),
                    role: None,
                    comment: None,
                }),
                None if !options.json && io::stdin().is_terminal() && io::stderr().is_terminal() => {
                    // What is drawn after the question would be drawn over it.
                    let _ = timeout(DRAWN, shown.wait_for(|shown| shown.contains(&task.id))).await;
                    ask(task).await?
                }
                None => None,
            };
            match decision {
                Some(decision) => engine.decide(run, Some(&task.id), decision).await?,
                None if options.wait => return Ok(engine.wait(run, WaitFor::Ended).await?),
                None => return Ok(summary),
            }
        }
    }
}

/// Shows the evidence and asks on the terminal; `None` is "not now".
async fn ask(task: &TaskSummary) -> Result<Option<Decision>, CliError> {
    let request = task.approval.clone().unwrap_or_default();
    output::say(&format!(
        "\n{}",
        request["question"].as_str().unwrap_or("Approve?")
    ));
    output::say(&evidence(&request["evidence"]));
    let answer = tokio::task::spawn_blocking(|| -> io::Result<Option<Decision>> {
        let Some(choice) = prompt("Approve? [y]es, [n]o, [l]ater: ")? else {
            return Ok(None);
        };
        let approved = match choice.to_lowercase().as_str() {
            "y" | "yes" => true,
            "n" | "no" => false,
            _ => return Ok(None),
        };
        let Some(by) = who()? else {
            return Ok(None);
        };
        let comment = prompt("Comment (may be empty): ")?.filter(|text| !text.is_empty());
        Ok(Some(Decision {
            approved,
            by,
            role: None,
            comment,
        }))
    });
    answer
        .await
        .map_err(|error| CliError::failed("terminal", error, "Use `twinloom approve`."))?
        .map_err(Into::into)
}

/// The name under the decision: the account's, unless another is given. Asked until there is one; none is "not now".
fn who() -> io::Result<Option<String>> {
    let default = account::name();
    let question = if default.is_empty() {
        "Your name: ".to_owned()
    } else {
        format!("Your name [{default}]: ")
    };
    loop {
        match prompt(&question)? {
            None => return Ok(None),
            Some(name) if !name.is_empty() => return Ok(Some(name)),
            Some(_) if !default.is_empty() => return Ok(Some(default)),
            Some(_) => output::say("The decision is kept with the name of whoever made it."),
        }
    }
}

fn prompt(question: &str) -> io::Result<Option<String>> {
    let mut err = io::stderr();
    // Not locked beyond this: who is told that the run ends while somebody thinks has to write too.
    write!(err, "{question}")?;
    err.flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(line.trim().to_owned()))
}

/// Evidence for people: an object's entries a line each, nested values as JSON.
pub fn evidence(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let line = |(key, value): (&String, &Value)| match value {
                Value::String(text) => format!("  {key}: {text}"),
                Value::Array(rows) if rows.iter().all(Value::is_object) && !rows.is_empty() => {
                    let rows: Vec<_> = rows.iter().map(|row| format!("    {}", compact(row))).collect();
                    format!("  {key}:\n{}", rows.join("\n"))
                }
                other => format!("  {key}: {other}"),
            };
            map.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        other => format!("  {other}"),
    }
}

fn compact(row: &Value) -> String {
    let Some(map) = row.as_object() else {
        return row.to_string();
    };
    let cell = |(key, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::String(text) => Some(format!("{key} {text}")),
        Value::Number(number) => Some(format!(
            "{key} {}",
            number.as_f64().map_or_else(|| number.to_string(), figure)
        )),
        other => Some(format!("{key} {other}")),
    };
    map.iter().filter_map(cell).collect::<Vec<_>>().join(", ")
}

/// Four significant digits, whole numbers as they are.
pub fn figure(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    format!("{value:.4}")
}

/// Shows events, and says which tasks were shown to wait.
async fn print_events(
    mut events: Receiver<EngineEvent>,
    run: String,
    mut progress: Progress,
    seen: watch::Sender<BTreeSet<String>>,
) {
    loop {
        match events.recv().await {
            Ok(event) if event.run() == run => {
                progress.event(&event);
                if let EngineEvent::Task {
                    task,
                    state: TaskState::Waiting,
                    ..
                } = &event
                {
                    seen.send_modify(|seen| {
                        seen.insert(task.clone());
                    });
                }
            }
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Prints the result, and turns an end that is not success into an error with its exit code.
///
/// # Errors
/// `run.failed` (exit 1), `run.waiting` (4), `run.cancelled` (5).
pub fn report(summary: &RunSummary, json: bool) -> Result<(), CliError> {
    if json {
        output::json(&document(summary))?;
    } else {
        print_summary(summary);
    }
    let id = &summary.id;
    let mut error = match summary.state {
        RunState::Succeeded => return Ok(()),
        RunState::Cancelled => CliError::new(
            5,
            "run.cancelled",
            format!("run {id} was cancelled"),
            format!("`twinloom retry {id}` goes on."),
        ),
        RunState::Failed => {
            let failed = summary.tasks.iter().find(|task| task.state == TaskState::Failed);
            let text = |key: &str| {
                failed
                    .and_then(|task| task.error.as_ref()?.get(key)?.as_str())
                    .unwrap_or_default()
            };
            let rejected = text("code") == "approve.rejected";
            let name = failed.map(|task| task.id.as_str()).unwrap_or_default();
            let message = format!("run {id} failed at {name}: {}", text("message"));
            let hint = format!(
                "{}\n      Then `twinloom retry {id}` goes on; `twinloom logs {id} {name}` shows more.",
                text("hint")
            );
            CliError::new(
                if rejected { 5 } else { 1 },
                "run.failed",
                message,
                hint.trim_start(),
            )
        }
        _ => CliError::new(
            4,
            "run.waiting",
            format!("run {id} waits for approval"),
            format!(
                "`twinloom approve {id} --as NAME` goes on with it; `twinloom reject {id} --as NAME` ends it."
            ),
        ),
    };
    if json {
        // The document was the last line; the exit code says the rest.
        error.rendered = Some(String::new());
    }
    Err(error)
}

/// A run's summary with `status`, the word that scripts look for.
pub fn document(summary: &RunSummary) -> Value {
    let mut value = json!(summary);
    value["status"] = json!(summary.state);
    if let Some(why) = not_released(summary) {
        value["not_released"] = json!(why);
    }
    value
}

/// Why nobody was asked to approve: the verdict of the step whose gate was not passed, where an approval was skipped.
fn not_released(summary: &RunSummary) -> Option<String> {
    let skipped = |task: &&TaskSummary| task.operator == "approve" && task.state == TaskState::Skipped;
    let approval = summary.tasks.iter().find(skipped)?;
    let judged = |task: &&TaskSummary| task.metrics.get("passed") == Some(&Value::Bool(false));
    let Some(gate) = summary.tasks.iter().find(judged) else {
        return Some(
            approval
                .reason
                .clone()
                .unwrap_or_else(|| "it was skipped".to_owned()),
        );
    };
    let text = |key: &str| gate.metrics.get(key).and_then(Value::as_str);
    let verdict = text("missed")
        .or(text("verdict"))
        .unwrap_or("its gate was not passed");
    Some(format!("{}: {verdict}", gate.id))
}

/// A run for people.
pub fn print_summary(summary: &RunSummary) {
    let row = |task: &TaskSummary| {
        let took = match (task.started_at, task.ended_at) {
            (Some(from), Some(to)) => output::duration(from, to),
            _ => String::new(),
        };
        let output = |output: &twinloom_runtime::OutputSummary| {
            let rows = output
                .rows
                .map(|rows| format!(" ({} rows)", output::count(rows)))
                .unwrap_or_default();
            let same = if output.outcome == "new" {
                String::new()
            } else {
                format!(" {}", output.outcome)
            };
            format!("{}@{}{rows}{same}", output.name, output.version)
        };
        let mut what = task.outputs.iter().map(output).collect::<Vec<_>>();
        what.extend(task.reason.clone());
        if let Some(error) = &task.error {
            what.push(format!(
                "{}: {}",
                error["code"].as_str().unwrap_or(""),
                error["message"].as_str().unwrap_or("")
            ));
        }
        vec![
            task.id.clone(),
            task.state.to_string(),
            took,
            output::cut(&what.join("; "), 110),
        ]
    };
    output::table(
        &["task", "state", "took", "made"],
        &summary.tasks.iter().map(row).collect::<Vec<_>>(),
    );
    let cached = summary
        .tasks
        .iter()
        .filter(|task| task.state == TaskState::Cached)
        .count();
    let took = output::duration(
        summary.created_at,
        summary.ended_at.unwrap_or_else(Timestamp::now),
    );
    output::line(&format!(
        "run {} of {} {} in {took}; {cached} of {} tasks cached",
        summary.id,
        summary.dag,
        summary.state,
        summary.tasks.len()
    ));
    if let Some(why) = not_released(summary) {
        output::line(&format!("not released: {why}"));
    }
}
