//! Datasets, models and experiments of a server.

use serde_json::{Value, json};
use twinloom_runtime::experiments::Curve;
use twinloom_store::{Reference, Selector};

use super::{
    Remote,
    commands::{done, find, not_remote, table},
};
use crate::{
    args::{DatasetCommand, ExperimentsCommand, ModelCommand},
    commands::experiments::{cell, no_experiment, parts_of, print_curves},
    error::CliError,
    output,
};

/// Runs that a server lists at a time.
const MOST: usize = 500;

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
            let (name, version) = parts(&reference)?;
            let found = remote
                .get(&["datasets", &name, "versions", &version], &[])
                .await?;
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
            let ((name, older), (other, newer)) = (parts(&from)?, parts(&to)?);
            if name != other {
                return Err(CliError::usage(
                    "dataset.diff",
                    format!("`{name}` and `{other}` are two datasets"),
                    "Name two versions of one: `twinloom dataset diff words@1 words@2`.",
                ));
            }
            let query = [
                ("from", Some(older)),
                ("to", Some(newer)),
                ("limit", Some("500".to_owned())),
            ];
            let found = remote.get(&["datasets", &name, "diff"], &query).await?;
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
            let (name, version) = parts(&reference)?;
            let found = remote.get(&["models", &name, "versions", &version], &[]).await?;
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
            let (name, version) = parts(&reference)?;
            let found = remote.get(&["models", &name, "versions", &version], &[]).await?;
            let body = json!({ "version": found["version"], "reason": reason });
            let label = remote.post(&["models", &name, "aliases", &alias], &body).await?;
            moved(json, &name, &label)
        }
        ModelCommand::Rollback {
            name, alias, reason, ..
        } => {
            let path = ["models", &name, "aliases", &alias, "rollback"];
            let label = remote.post(&path, &json!({ "reason": reason })).await?;
            moved(json, &name, &label)
        }
        _ => Err(not_remote()),
    }
}

/// Says where an alias points now, as the server answered.
fn moved(json: bool, model: &str, label: &Value) -> Result<(), CliError> {
    let (alias, version, previous) = (&label["label"], &label["version"], &label["previous"]);
    let from = previous
        .as_u64()
        .map(|version| format!(" (was {version})"))
        .unwrap_or_default();
    let words = format!(
        "{model}@{} is version {version} now{from}",
        alias.as_str().unwrap_or_default()
    );
    let value = json!({
        "model": model, "alias": alias, "version": version, "previous": previous, "by": label["by"],
        "reason": label["reason"],
    });
    done(json, &value, &words)
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
            let query = [("dag", dag), ("limit", Some(limit.clamp(1, MOST).to_string()))];
            let page = remote.get(&["experiments"], &query).await?;
            if limit > MOST && page["next_cursor"].is_string() {
                output::say(&format!("a server lists the newest {MOST}; there are more"));
            }
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
            curves(remote, json, &experiments, metric.as_deref()).await
        }
        _ => Err(not_remote()),
    }
}

async fn curves(remote: &Remote, json: bool, named: &[String], metric: Option<&str>) -> Result<(), CliError> {
    let mut found = Vec::new();
    for name in named {
        let (run, task) = parts_of(name);
        let run = find(remote, run).await?;
        let answer = remote
            .get(&["experiments", "curves"], &[("run", Some(run))])
            .await?;
        let series = answer["series"].as_array().into_iter().flatten();
        let of_task = |curve: &Curve| task.is_none_or(|task| curve.task == task);
        let mut own: Vec<Curve> = series.filter_map(curve).filter(of_task).collect();
        if task.is_some() && own.is_empty() {
            return Err(no_experiment(name));
        }
        own.retain(|curve| metric.is_none_or(|metric| curve.name == metric));
        found.extend(own);
    }
    print_curves(json, &found)
}

/// A curve as the server tells it; figures without a step are none.
fn curve(series: &Value) -> Option<Curve> {
    let text = |key: &str| series[key].as_str().unwrap_or_default().to_owned();
    // What is not a number comes as null.
    let point = |point: &Value| {
        let value = point["value"].as_f64().unwrap_or(f64::NAN);
        Some((point["step"].as_i64()?, value))
    };
    let points: Vec<(i64, f64)> = series["points"].as_array()?.iter().filter_map(point).collect();
    (!points.is_empty()).then(|| Curve {
        run: text("run"),
        task: text("task"),
        name: text("name"),
        points,
    })
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

/// Name and version of a reference, as the addresses of a server hold them.
fn parts(text: &str) -> Result<(String, String), CliError> {
    let reference: Reference = text.parse()?;
    let version = match reference.selector {
        Selector::Latest => "latest".to_owned(),
        Selector::Number(number) => number.to_string(),
        Selector::Label(label) => label,
    };
    Ok((reference.name.to_string(), version))
}
