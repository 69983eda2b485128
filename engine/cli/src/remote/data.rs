//! Datasets, models and experiments of a server.

use serde_json::{Value, json};

use super::{
    Remote,
    commands::{done, find, not_remote, table},
};
use crate::{
    args::{DatasetCommand, ExperimentsCommand, ModelCommand},
    commands::experiments::{cell, drawn},
    error::CliError,
    output,
};

/// `twinloom dataset …`.
///
/// # Errors
/// `server.not_remote`; what the server says.
pub async fn dataset(remote: &Remote, json: bool, command: DatasetCommand) -> Result<(), CliError> {
    match command {
        DatasetCommand::List => {
            let columns = [
                "name",
                "latest.version",
                "latest.rows",
                "latest.bytes",
                "latest.created_at",
            ];
            table(remote, json, &["datasets"], &columns).await
        }
        DatasetCommand::Show { reference } => {
            let (name, version) = parts(&reference);
            let found = remote.get(&["datasets", name, "versions", version], &[]).await?;
            if json {
                return output::json(&found);
            }
            head(&found);
            let number = |key: &str| found[key].as_u64().unwrap_or_default();
            output::line(&format!(
                "{} rows, {}",
                output::count(number("rows")),
                output::bytes(number("bytes"))
            ));
            if let Some(changes) = found["changes"].as_object() {
                let words = changes.iter().map(|(word, count)| format!("{count} {word}"));
                output::line(&words.collect::<Vec<_>>().join(", "));
            }
            output::line("");
            rows(&found["columns"], &["name", "data_type"]);
            Ok(())
        }
        DatasetCommand::Diff { from, to } => {
            let ((name, older), (other, newer)) = (parts(&from), parts(&to));
            if name != other {
                return Err(CliError::usage(
                    "dataset.diff",
                    format!("`{name}` and `{other}` are two datasets"),
                    "Name two versions of one: `twinloom dataset diff words@1 words@2`.",
                ));
            }
            let query = [
                ("from", Some(older.to_owned())),
                ("to", Some(newer.to_owned())),
                ("limit", Some("500".to_owned())),
            ];
            let found = remote.get(&["datasets", name, "diff"], &query).await?;
            if json {
                return output::json(&found);
            }
            for item in found["items"].as_array().into_iter().flatten() {
                let sign = match item["change"].as_str() {
                    Some("added") => "+",
                    Some("removed") => "-",
                    _ => "~",
                };
                output::line(&format!("{sign} {}", item["key"].as_str().unwrap_or_default()));
            }
            let count = |key: &str| found[key].as_u64().unwrap_or_default();
            output::say(&format!(
                "{name}@{} to {name}@{}: {} added, {} changed, {} removed",
                count("from"),
                count("to"),
                count("added"),
                count("changed"),
                count("removed")
            ));
            if found["truncated"] == true {
                output::say("not all of them are listed");
            }
            Ok(())
        }
        _ => Err(not_remote()),
    }
}

/// `twinloom model …`. The server knows who moves an alias: whoever the token belongs to, and not `--as`.
///
/// # Errors
/// `server.not_remote`; what the server says.
pub async fn model(remote: &Remote, json: bool, command: ModelCommand) -> Result<(), CliError> {
    match command {
        ModelCommand::List => {
            let columns = ["name", "latest.version", "latest.base", "latest.created_at"];
            table(remote, json, &["models"], &columns).await
        }
        ModelCommand::Show { reference } => {
            let (name, version) = parts(&reference);
            let found = remote.get(&["models", name, "versions", version], &[]).await?;
            if json {
                return output::json(&found);
            }
            head(&found);
            if let Some(base) = found["base"].as_str() {
                output::line(&format!("on {base}"));
            }
            for alias in found["aliases"].as_array().into_iter().flatten() {
                output::line(&format!("is {}", alias.as_str().unwrap_or_default()));
            }
            output::line("");
            rows(&found["files"], &["path", "bytes"]);
            output::line(&format!(
                "\n{}",
                found["card"].as_str().unwrap_or_default().trim_end()
            ));
            Ok(())
        }
        ModelCommand::Alias {
            reference,
            alias,
            reason,
            ..
        } => {
            let (name, version) = parts(&reference);
            let found = remote.get(&["models", name, "versions", version], &[]).await?;
            let number = &found["version"];
            let body = json!({ "version": number, "reason": reason });
            remote.post(&["models", name, "aliases", &alias], &body).await?;
            let moved = json!({ "model": name, "alias": alias, "version": number, "reason": reason });
            done(json, &moved, &format!("{name}@{alias} is version {number} now"))
        }
        ModelCommand::Rollback {
            name, alias, reason, ..
        } => {
            let path = ["models", &name, "aliases", &alias, "rollback"];
            let moved = remote.post(&path, &json!({ "reason": reason })).await?;
            let (version, was) = (&moved["version"], &moved["previous"]);
            let words = format!("{name}@{alias} is version {version} now (was {was})");
            let value = json!({
                "model": name, "alias": alias, "version": version, "previous": was, "by": moved["by"], "reason": reason,
            });
            done(json, &value, &words)
        }
        _ => Err(not_remote()),
    }
}

/// `twinloom experiments …`: on a server an experiment is a run.
///
/// # Errors
/// `server.not_remote`; what the server says.
pub async fn experiments(remote: &Remote, json: bool, command: ExperimentsCommand) -> Result<(), CliError> {
    match command {
        ExperimentsCommand::List {
            dag,
            step: None,
            operator: None,
            metric,
            limit,
        } => {
            let query = [("dag", dag), ("limit", Some(limit.clamp(1, 500).to_string()))];
            let page = remote.get(&["experiments"], &query).await?;
            if json {
                return output::json(&page["items"]);
            }
            let row = |item: &Value| {
                let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
                let ends = format!(".{metric}");
                let figures = item["metrics"].as_object().into_iter().flatten();
                let figures = figures
                    .filter(|(name, _)| name.ends_with(&ends))
                    .map(|(_, value)| cell(value));
                let made = item["artifacts"].as_array().into_iter().flatten();
                let made = made.filter_map(Value::as_str);
                vec![
                    text("run"),
                    text("dag"),
                    text("state"),
                    figures.collect::<Vec<_>>().join(" "),
                    made.collect::<Vec<_>>().join(" "),
                ]
            };
            let items = page["items"].as_array().into_iter().flatten();
            let rows: Vec<_> = items.map(row).collect();
            output::table(&["run", "dag", "state", &metric, "made"], &rows);
            Ok(())
        }
        ExperimentsCommand::Curves { experiments, metric } => {
            curves(remote, json, &experiments, metric).await
        }
        _ => Err(not_remote()),
    }
}

async fn curves(
    remote: &Remote,
    json: bool,
    named: &[String],
    metric: Option<String>,
) -> Result<(), CliError> {
    let mut found = Vec::new();
    for name in named {
        let (run, task) = match name.split_once('/') {
            Some((run, task)) => (run, Some(task)),
            None => (name.as_str(), None),
        };
        let run = find(remote, run).await?;
        let query = [("run", Some(run)), ("metric", metric.clone())];
        let mut answer = remote.get(&["experiments", "curves"], &query).await?;
        if let Value::Array(series) = answer["series"].take() {
            let of_task = |one: &Value| task.is_none_or(|task| one["task"] == task);
            found.extend(series.into_iter().filter(of_task));
        }
    }
    if json {
        return output::json(&found);
    }
    let row = |curve: &Value| {
        let point = |point: &Value| Some((point["step"].as_i64()?, point["value"].as_f64()?));
        let points = curve["points"].as_array().into_iter().flatten();
        let points: Vec<(i64, f64)> = points.filter_map(point).collect();
        let text = |key: &str| curve[key].as_str().unwrap_or_default();
        let value = |point: Option<&(i64, f64)>| point.map(|(_, value)| format!("{value:.4}"));
        vec![
            format!("{}/{}", text("run"), text("task")),
            text("name").to_owned(),
            value(points.first()).unwrap_or_default(),
            drawn(&points),
            value(points.last()).unwrap_or_default(),
            points
                .last()
                .map(|(step, _)| step.to_string())
                .unwrap_or_default(),
        ]
    };
    let heads = ["experiment", "metric", "first", "", "last", "step"];
    output::table(&heads, &found.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// What dataset and model versions have in common.
fn head(found: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    output::line(&format!(
        "{}@{}  {}",
        text(&found["name"]),
        found["version"],
        text(&found["hash"])
    ));
    let made = &found["producer"];
    output::line(&format!(
        "made {} by {} (run {}, task {})",
        text(&found["created_at"]),
        text(&made["operator"]),
        text(&made["run"]),
        text(&made["task"])
    ));
    for input in found["inputs"].as_array().into_iter().flatten() {
        output::line(&format!(
            "from {}@{} ({})",
            text(&input["name"]),
            input["version"],
            text(&input["port"])
        ));
    }
}

/// A list of objects as a table.
fn rows(list: &Value, columns: &[&str]) {
    let row = |item: &Value| columns.iter().map(|key| cell(&item[*key])).collect();
    let rows: Vec<Vec<String>> = list.as_array().into_iter().flatten().map(row).collect();
    output::table(columns, &rows);
}

/// Name and version of NAME or NAME@VERSION.
fn parts(reference: &str) -> (&str, &str) {
    reference.rsplit_once('@').unwrap_or((reference, "latest"))
}
