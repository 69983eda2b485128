//! Files checked and planned by a server, with its operators and pipelines.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Remote;
use crate::{args::Params, commands::files, error::CliError, output};

/// `twinloom validate`.
///
/// # Errors
/// One error after all files were looked at; what the server says.
pub async fn validate(remote: &Remote, json: bool, paths: &[PathBuf]) -> Result<(), CliError> {
    let (mut bad, mut results) = (0, Vec::new());
    for path in paths {
        let answer = ask(remote, path, None).await?;
        let valid = answer["valid"] == true;
        results.push(json!({ "file": path, "valid": valid, "diagnostics": answer["diagnostics"] }));
        if !valid {
            bad += 1;
        }
        match (json, valid) {
            (true, _) => {}
            (false, true) => output::line(&format!("{}: valid", path.display())),
            (false, false) => output::say(&rendered(&answer)),
        }
    }
    if json {
        output::json(&results)?;
    }
    if bad == 0 {
        return Ok(());
    }
    let words = format!("{bad} of {} files are not valid", paths.len());
    let mut error = CliError::usage("spec.invalid", words, "See above.");
    if json {
        error.rendered = Some(String::new());
    }
    Err(error)
}

/// `twinloom plan`: what a run on the server would do.
///
/// # Errors
/// Diagnostics of the file; what the server says.
pub async fn plan(remote: &Remote, json: bool, path: &Path, given: &Params) -> Result<(), CliError> {
    let params = files::params(&files::read(path)?, given)?;
    let mut answer = ask(remote, path, Some(Value::Object(params))).await?;
    if answer["valid"] != true {
        let mut error = CliError::usage(
            "spec.invalid",
            "the file is not valid",
            "Mend the places shown above.",
        );
        error.rendered = Some(rendered(&answer));
        error.details = Some(Box::new(answer["diagnostics"].take()));
        return Err(error);
    }
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

async fn ask(remote: &Remote, path: &Path, params: Option<Value>) -> Result<Value, CliError> {
    let file = files::read(path)?;
    let body = json!({ "text": file.text, "name": path.display().to_string(), "params": params });
    remote.post(&["validate"], &body).await
}

fn rendered(answer: &Value) -> String {
    let found = answer["diagnostics"].as_array().into_iter().flatten();
    let texts = found.filter_map(|one| one["rendered"].as_str());
    texts.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
