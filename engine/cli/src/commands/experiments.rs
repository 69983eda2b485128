//! `twinloom experiments …`: what was tried, and what came of it.

use serde_json::{Value, json};
use twinloom_runtime::experiments::{self, Comparison, Curve, Experiment, ExperimentFilter};

use super::runs;
use crate::{app::App, args::ExperimentsCommand, error::CliError, output};

/// Characters of a drawn curve.
const WIDTH: usize = 40;

/// Runs the command.
///
/// # Errors
/// What the database says; `experiment.not_found`.
pub async fn run(app: &App, command: &ExperimentsCommand) -> Result<(), CliError> {
    match command {
        ExperimentsCommand::List {
            dag,
            step,
            operator,
            metric,
            limit,
        } => {
            let filter = ExperimentFilter {
                dag: dag.clone(),
                step: step.clone(),
                operator: operator.clone(),
                limit: *limit,
            };
            list(app, &filter, metric).await
        }
        ExperimentsCommand::Compare { experiments, all } => compare(app, experiments, *all).await,
        ExperimentsCommand::Curves { experiments, metric } => {
            curves(app, experiments, metric.as_deref()).await
        }
    }
}

async fn list(app: &App, filter: &ExperimentFilter, metric: &str) -> Result<(), CliError> {
    let found = experiments::list(&app.meta().await?, filter).await?;
    if app.global.json {
        return output::json(&found);
    }
    if found.is_empty() {
        output::say("There are no such experiments: `twinloom run dags/twin.yaml` trains a model.");
        return Ok(());
    }
    let now = jiff::Timestamp::now();
    let row = |experiment: &Experiment| {
        let models = experiment
            .outputs
            .iter()
            .map(|output| format!("{}@{}", output.name, output.version));
        vec![
            format!("{}/{}", experiment.run, experiment.task),
            experiment.state.to_string(),
            experiment.metrics.get(metric).map(cell).unwrap_or_default(),
            experiment
                .seconds
                .map(|seconds| format!("{seconds:.1} s"))
                .unwrap_or_default(),
            output::ago(experiment.created_at, now),
            models.collect::<Vec<_>>().join(" "),
        ]
    };
    output::table(
        &["experiment", "state", metric, "took", "asked", "made"],
        &found.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn compare(app: &App, named: &[String], all: bool) -> Result<(), CliError> {
    let mut chosen = Vec::new();
    for name in named {
        chosen.extend(find(app, name).await?);
    }
    let Comparison {
        experiments,
        mut rows,
    } = experiments::compare(chosen);
    rows.retain(|row| all || row.differs || experiments.len() == 1);
    if app.global.json {
        return output::json(&json!({ "experiments": experiments, "rows": rows }));
    }
    for (number, experiment) in (1..).zip(&experiments) {
        output::line(&format!(
            "#{number}  {}/{}  {}",
            experiment.run, experiment.task, experiment.state
        ));
    }
    output::line("");
    let heads: Vec<String> = (1..=experiments.len())
        .map(|number| format!("#{number}"))
        .collect();
    let mut head = vec!["", "name"];
    head.extend(heads.iter().map(String::as_str));
    let table: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let mut cells = vec![row.group.clone(), row.name.clone()];
            cells.extend(row.values.iter().map(cell));
            cells
        })
        .collect();
    output::table(&head, &table);
    Ok(())
}

async fn curves(app: &App, named: &[String], metric: Option<&str>) -> Result<(), CliError> {
    let meta = app.meta().await?;
    let mut found: Vec<Curve> = Vec::new();
    for name in named {
        for experiment in find(app, name).await? {
            found.extend(experiments::curves(&meta, &experiment.run, Some(&experiment.task), metric).await?);
        }
    }
    print_curves(app.global.json, &found)
}

/// Curves as a document, or drawn.
///
/// # Errors
/// When they do not serialise.
pub fn print_curves(json: bool, curves: &[Curve]) -> Result<(), CliError> {
    if json {
        return output::json(&curves);
    }
    let row = |curve: &Curve| {
        let value =
            |point: Option<&(i64, f64)>| point.map(|(_, value)| format!("{value:.4}")).unwrap_or_default();
        vec![
            format!("{}/{}", curve.run, curve.task),
            curve.name.clone(),
            value(curve.points.first()),
            drawn(&curve.points),
            value(curve.points.last()),
            curve
                .points
                .last()
                .map(|(step, _)| step.to_string())
                .unwrap_or_default(),
        ]
    };
    output::table(
        &["experiment", "metric", "first", "", "last", "step"],
        &curves.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

/// Run and task of `RUN` or `RUN/TASK`.
pub fn parts_of(name: &str) -> (&str, Option<&str>) {
    match name.split_once('/') {
        Some((run, task)) => (run, Some(task)),
        None => (name, None),
    }
}

/// The error for a name that is no experiment's.
pub fn no_experiment(name: &str) -> CliError {
    CliError::not_found(
        "experiment.not_found",
        format!("`{name}` is no experiment"),
        "`twinloom experiments list` lists them; name one as RUN/TASK.",
    )
}

/// The experiments of `RUN` or `RUN/TASK`.
async fn find(app: &App, name: &str) -> Result<Vec<Experiment>, CliError> {
    let (run, task) = parts_of(name);
    let run = runs::find(app, run).await?;
    let mut found = experiments::of_run(&app.meta().await?, &run).await?;
    found.retain(|experiment| task.is_none_or(|task| experiment.task == task));
    if found.is_empty() {
        return Err(no_experiment(name));
    }
    Ok(found)
}

/// A figure in a table.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => output::cut(text, 40),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() && float.abs() >= 1e-3 => format!("{float:.4}"),
            Some(float) if number.is_f64() => format!("{float:.3e}"),
            _ => number.to_string(),
        },
        other => output::cut(&other.to_string(), 40),
    }
}

/// A curve in one line, from its lowest to its highest value.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a line of 40 characters"
)]
fn drawn(points: &[(i64, f64)]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let values: Vec<f64> = points
        .iter()
        .map(|(_, value)| *value)
        .filter(|value| value.is_finite())
        .collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = values.len().min(WIDTH);
    let level = |column: usize| {
        let at = column * values.len() / width.max(1);
        let share = (values.get(at).copied().unwrap_or(low) - low) / (high - low).max(f64::MIN_POSITIVE);
        LEVELS[((share * 7.0).round() as usize).min(7)]
    };
    (0..width).map(level).collect()
}
