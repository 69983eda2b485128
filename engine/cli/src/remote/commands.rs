//! What each command asks of the server, and how it is shown.

use std::{path::Path, time::Duration};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use twinloom_runtime::{LogLine, RunSummary};

use super::{Remote, data, spec};
use crate::{
    args::{Command, DecideArgs, RunArgs},
    commands::{files, follow, runs},
    error::CliError,
    output,
};

/// How often a run is asked for while it is followed.
const ASK_EVERY: Duration = Duration::from_millis(400);

/// Runs a command on a server.
///
/// # Errors
/// `server.not_remote` for commands that work on the home folder; what the server says.
pub async fn dispatch(remote: &Remote, json: bool, command: Command) -> Result<(), CliError> {
    match command {
        Command::Run(args) => run(remote, json, &args).await,
        Command::Runs { dag, state, limit } => list_runs(remote, json, dag, state, limit).await,
        Command::Show { run } => show(remote, json, &run).await,
        Command::Logs { run, task, follow } => logs(remote, json, &run, task.as_deref(), follow).await,
        Command::Cancel { run, reason } => {
            let id = find(remote, &run).await?;
            remote
                .post(&["runs", &id, "cancel"], &json!({ "reason": reason }))
                .await?;
            done(
                json,
                &json!({ "run": id, "cancelled": true }),
                &format!("run {id} is cancelled"),
            )
        }
        Command::Retry {
            run,
            from,
            approve_as,
        } => {
            refuse(&[(approve_as.is_some(), APPROVE_AS)])?;
            let id = find(remote, &run).await?;
            remote
                .post(&["runs", &id, "retry"], &json!({ "from": from }))
                .await?;
            follow_run(remote, json, &id, false).await
        }
        Command::Approvals => approvals(remote, json).await,
        Command::Approve(args) => decide(remote, json, &args, true).await,
        Command::Reject(args) => decide(remote, json, &args, false).await,
        Command::Why { run, task } => {
            let id = find(remote, &run).await?;
            let why = remote.get(&["runs", &id, "why"], &[("task", task)]).await?;
            done(json, &why, why["text"].as_str().unwrap_or_default())
        }
        Command::Dataset(command) => data::dataset(remote, json, command).await,
        Command::Model(command) => data::model(remote, json, command).await,
        Command::Experiments(command) => data::experiments(remote, json, command).await,
        Command::Validate { files } => spec::validate(remote, json, &files).await,
        Command::Plan { file, params } => spec::plan(remote, json, &file, &params).await,
        Command::Dags { command } => {
            crate::commands::dags::run(remote, json, command.unwrap_or_default()).await
        }
        Command::Backfill(args) => crate::commands::dags::backfill(remote, json, &args).await,
        Command::User(command) => crate::commands::access::remote_user(remote, json, command).await,
        Command::Token(command) => crate::commands::access::remote_token(remote, json, command).await,
        Command::Secret(command) => crate::commands::access::remote_secret(remote, json, command).await,
        _ => Err(not_remote()),
    }
}

/// The error for a command that no server takes.
pub fn not_remote() -> CliError {
    CliError::usage(
        "server.not_remote",
        "this command works on the home folder, not on a server",
        "Leave --server (and TWINLOOM_SERVER) out.",
    )
}

/// An option that a server does not take, and what holds instead.
pub type Refused = (&'static str, &'static str);

/// `--pipelines`.
pub const PIPELINES: Refused = ("--pipelines", "a server has pipelines of its own");
/// `--approve-as`.
const APPROVE_AS: Refused = (
    "--approve-as",
    "a server knows by the token who approves: `twinloom approve RUN --server URL`",
);

/// Refuses options that a server does not take, where they are given: left out without a word, they would seem to hold.
///
/// # Errors
/// `server.not_remote`.
pub fn refuse(options: &[(bool, Refused)]) -> Result<(), CliError> {
    match options.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, (option, instead))) => Err(CliError::usage(
            "server.not_remote",
            instead,
            format!("Leave {option} out."),
        )),
    }
}

/// The id of a run; `latest` is the newest.
///
/// # Errors
/// `run.not_found`; what the server says.
pub async fn find(remote: &Remote, run: &str) -> Result<String, CliError> {
    if run != "latest" {
        return Ok(run.to_owned());
    }
    let page = remote.get(&["runs"], &[("limit", Some("1".to_owned()))]).await?;
    let id = page["items"][0]["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| {
        CliError::not_found(
            "run.not_found",
            "there are no runs",
            "`twinloom run DAG` starts one.",
        )
    })
}

/// A DAG is named, or its file, whose name is taken: the server runs what it has.
async fn run(remote: &Remote, json: bool, args: &RunArgs) -> Result<(), CliError> {
    refuse(&[
        (
            args.resume.is_some(),
            ("--resume", "a server goes on with interrupted runs by itself"),
        ),
        (args.params.pipelines.is_some(), PIPELINES),
        (
            args.no_cache,
            ("--no-cache", "a server reuses earlier results where it can"),
        ),
        (args.approve_as.is_some(), APPROVE_AS),
        (
            args.jobs.is_some(),
            (
                "--jobs",
                "a server was told at its start how many tasks it runs at a time",
            ),
        ),
    ])?;
    let Some(path) = &args.file else {
        return Err(CliError::usage(
            "run.file",
            "no DAG is named",
            "Write `twinloom run DAG --server URL`.",
        ));
    };
    let name = if path.is_file() {
        name_of(path)?
    } else {
        path.display().to_string()
    };
    let detail = remote.get(&["dags", &name], &[]).await?;
    let mut params = Map::new();
    for pair in &args.params.params {
        let Some((key, text)) = pair.split_once('=') else {
            return Err(CliError::usage(
                "param.syntax",
                format!("`{pair}` is not NAME=VALUE"),
                "Write --param NAME=VALUE.",
            ));
        };
        let is_text = detail["params_schema"]["properties"][key]["type"] == "string";
        let value = if is_text {
            text.into()
        } else {
            twinloom_spec::read_value(text)
        };
        params.insert(key.to_owned(), value);
    }
    let started = remote
        .post(&["dags", &name, "runs"], &json!({ "params": params }))
        .await?;
    let id = started["run"].as_str().unwrap_or_default().to_owned();
    if !json {
        output::say(&format!("run {id}"));
    }
    follow_run(remote, json, &id, args.wait).await
}

fn name_of(path: &Path) -> Result<String, CliError> {
    Ok(twinloom_spec::parse_dag(&files::read(path)?)?.name.value.0)
}

async fn summary(remote: &Remote, id: &str) -> Result<RunSummary, CliError> {
    Ok(serde_json::from_value(remote.get(&["runs", id], &[]).await?)?)
}

/// Asks until the run has ended, or waits for a person.
async fn follow_run(remote: &Remote, json: bool, id: &str, wait: bool) -> Result<(), CliError> {
    loop {
        let run = summary(remote, id).await?;
        let waits = run.state == twinloom_meta::RunState::Waiting && !wait;
        // Right after an answer the run still stands as waiting, with no question left.
        if run.ended_at.is_some() || (waits && !open_questions(remote, &run.id).await?.is_empty()) {
            return follow::report(&run, json);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn list_runs(
    remote: &Remote,
    json: bool,
    dag: Option<String>,
    state: Option<String>,
    limit: u64,
) -> Result<(), CliError> {
    let query = [("dag", dag), ("state", state), ("limit", Some(limit.to_string()))];
    let page = remote.get(&["runs"], &query).await?;
    if json {
        return output::json(&page["items"]);
    }
    let now = Timestamp::now();
    let row = |run: &Value| {
        let text = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
        let time = |key: &str| run[key].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let asked = time("created_at");
        let took = asked
            .zip(time("ended_at"))
            .map(|(from, to)| output::duration(from, to));
        let asked = asked.map(|at| output::ago(at, now));
        vec![
            text("id"),
            text("dag"),
            text("state"),
            asked.unwrap_or_default(),
            took.unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = page["items"].as_array().into_iter().flatten().map(row).collect();
    output::table(&["run", "dag", "state", "asked", "took"], &rows);
    Ok(())
}

async fn show(remote: &Remote, json: bool, run: &str) -> Result<(), CliError> {
    let id = find(remote, run).await?;
    let run = summary(remote, &id).await?;
    if json {
        return output::json(&follow::document(&run));
    }
    follow::print_summary(&run);
    Ok(())
}

async fn logs(
    remote: &Remote,
    json: bool,
    run: &str,
    task: Option<&str>,
    follow: bool,
) -> Result<(), CliError> {
    let id = find(remote, run).await?;
    let mut cursors: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();
    loop {
        let run = summary(remote, &id).await?;
        let wanted: Vec<&str> = match task {
            Some(task) => vec![task],
            None => run.tasks.iter().map(|task| task.id.as_str()).collect(),
        };
        for task in wanted {
            loop {
                let query = [
                    ("after", cursors.get(task).cloned()),
                    ("limit", Some("5000".to_owned())),
                ];
                let page = remote.get(&["runs", &id, "tasks", task, "logs"], &query).await?;
                for item in page["items"].as_array().into_iter().flatten() {
                    runs::print_log(json, task, &serde_json::from_value::<LogLine>(item.clone())?)?;
                }
                let next = page["next_cursor"].as_str().unwrap_or("0").to_owned();
                cursors.insert(task.to_owned(), next);
                if page["end"] != false {
                    break;
                }
            }
        }
        if !follow || run.ended_at.is_some() {
            return Ok(());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn approvals(remote: &Remote, json: bool) -> Result<(), CliError> {
    let page = remote.get(&["approvals"], &[]).await?;
    if json {
        return output::json(&page["items"]);
    }
    for item in page["items"].as_array().into_iter().flatten() {
        let text = |key: &str| item[key].as_str().unwrap_or_default();
        output::line(&format!(
            "{}  {}  {}",
            text("run"),
            text("task"),
            text("question")
        ));
    }
    Ok(())
}

/// The server knows who decides: whoever the token belongs to, and not `--as`.
async fn decide(remote: &Remote, json: bool, args: &DecideArgs, approved: bool) -> Result<(), CliError> {
    let id = find(remote, &args.run).await?;
    let task = match &args.task {
        Some(task) => task.clone(),
        None => only_task(remote, &id).await?,
    };
    let body = json!({ "approved": approved, "comment": args.comment });
    remote.post(&["approvals", &id, &task], &body).await?;
    if args.record_only {
        let word = if approved { "approved" } else { "rejected" };
        return done(json, &json!({ "run": id, "task": task, "decision": word }), word);
    }
    follow_run(remote, json, &id, false).await
}

/// The tasks of a run that wait for a person.
async fn open_questions(remote: &Remote, run: &str) -> Result<Vec<String>, CliError> {
    let open = remote
        .get(&["approvals"], &[("limit", Some("500".to_owned()))])
        .await?;
    let of_run = |item: &&Value| item["run"].as_str().is_some_and(|id| id.starts_with(run));
    let items = open["items"].as_array().into_iter().flatten().filter(of_run);
    Ok(items
        .filter_map(|item| item["task"].as_str().map(str::to_owned))
        .collect())
}

async fn only_task(remote: &Remote, run: &str) -> Result<String, CliError> {
    let tasks = open_questions(remote, run).await?;
    match tasks.as_slice() {
        [task] => Ok(task.clone()),
        [] => Err(CliError::failed(
            "run.not_waiting",
            format!("run {run} waits for no decision"),
            "`twinloom approvals` lists what does.",
        )),
        several => Err(CliError::usage(
            "run.ambiguous_task",
            format!("run {run} waits at several tasks: {}", several.join(", ")),
            "Name one with --task.",
        )),
    }
}

/// A list, all of it.
///
/// # Errors
/// What the server says, or that its items are others.
pub async fn all<T: DeserializeOwned>(remote: &Remote, path: &[&str]) -> Result<Vec<T>, CliError> {
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let page = remote.get(path, &[("cursor", cursor)]).await?;
        for item in page["items"].as_array().into_iter().flatten() {
            items.push(T::deserialize(item)?);
        }
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(items);
        }
    }
}

/// A list as a table, by paths into its items.
///
/// # Errors
/// What the server says.
pub async fn table(remote: &Remote, json: bool, path: &[&str], columns: &[&str]) -> Result<(), CliError> {
    let items: Vec<Value> = all(remote, path).await?;
    if json {
        return output::json(&items);
    }
    let cell = |item: &Value, path: &str| {
        let value = path.split('.').fold(item, |value, key| &value[key]);
        match value {
            Value::Null => String::new(),
            Value::String(text) => output::cut(text, 60),
            Value::Array(list) => {
                let words = list
                    .iter()
                    .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
                output::cut(&words.collect::<Vec<_>>().join(" "), 60)
            }
            other => other.to_string(),
        }
    };
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| columns.iter().map(|path| cell(item, path)).collect())
        .collect();
    let titles: Vec<&str> = columns
        .iter()
        .map(|path| path.rsplit('.').next().unwrap_or(path))
        .collect();
    output::table(&titles, &rows);
    Ok(())
}

/// What was done: a document, or words.
///
/// # Errors
/// When the document does not serialise.
pub fn done(json: bool, value: &Value, words: &str) -> Result<(), CliError> {
    if json {
        return output::json(value);
    }
    output::line(words.trim_end());
    Ok(())
}
