//! Files checked and planned by a server, with its operators and pipelines.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use twinloom_spec::SourceFile;

use super::{
    Remote,
    commands::{PIPELINES, refuse},
};
use crate::{args::Params, commands::files, error::CliError, output};

/// `twinloom validate`.
///
/// # Errors
/// One error after all files were looked at; what the server says.
pub async fn validate(remote: &Remote, json: bool, paths: &[PathBuf]) -> Result<(), CliError> {
    let mut results = Vec::new();
    for path in paths {
        let result = match files::read(path) {
            Ok(file) => valid(ask(remote, &file, None).await?).map(drop),
            Err(error) => Err(error),
        };
        results.push((path.clone(), result));
    }
    files::verdict(json, results)
}

/// `twinloom plan`: what a run on the server would do.
///
/// # Errors
/// `server.not_remote` with options that a server does not take; diagnostics of the file; what the server says.
pub async fn plan(remote: &Remote, json: bool, path: &Path, given: &Params) -> Result<(), CliError> {
    refuse(&[(given.pipelines.is_some(), PIPELINES)])?;
    let file = files::read(path)?;
    let params = files::params(&file, given)?;
    let answer = valid(ask(remote, &file, Some(Value::Object(params))).await?)?;
    if json {
        return output::json(&answer["plan"]);
    }
    let heads = ["task", "operator", "would", "why"];
    let row = |item: &Value| {
        let cells = heads.iter().map(|key| item[*key].as_str().unwrap_or_default());
        cells.map(str::to_owned).collect()
    };
    let items = answer["plan"].as_array().into_iter().flatten();
    output::table(&heads, &items.map(row).collect::<Vec<Vec<String>>>());
    Ok(())
}

async fn ask(remote: &Remote, file: &SourceFile, params: Option<Value>) -> Result<Value, CliError> {
    let body = json!({ "text": file.text, "name": file.name, "params": params });
    remote.post(&["validate"], &body).await
}

/// The answer about a file, unless that is that it is not valid.
fn valid(mut answer: Value) -> Result<Value, CliError> {
    if answer["valid"] == true {
        return Ok(answer);
    }
    let mut error = CliError::usage(
        "spec.invalid",
        "the file is not valid",
        "Mend the places shown above.",
    );
    error.rendered = Some(rendered(&answer));
    error.details = Some(Box::new(answer["diagnostics"].take()));
    Err(error)
}

fn rendered(answer: &Value) -> String {
    let found = answer["diagnostics"].as_array().into_iter().flatten();
    let texts = found.filter_map(|one| one["rendered"].as_str());
    texts.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
