//! Outputs of a program that does not speak the protocol: files named after their ports.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::datatypes::Schema;
use serde_json::Value;
use twinloom_sdk::{Context, Done, OperatorError, OutputTarget};
use twinloom_store::ArtifactKind;

use super::{Config, ports::unwritable};

/// Extensions of datasets, in the order in which they are looked for.
const EXTENSIONS: [&str; 3] = ["parquet", "jsonl", "csv"];

/// Imports what the program left for every output that it did not stage itself.
pub(super) async fn import(
    context: &Context,
    config: &Config,
    dir: &Path,
    mut done: Done,
) -> Result<Done, OperatorError> {
    for (port, target) in &context.task().outputs {
        if done.outputs.contains_key(port) {
            continue;
        }
        context.check_cancelled()?;
        done = match target.kind {
            ArtifactKind::Dataset => dataset(context, config, dir, port, done).await?,
            ArtifactKind::Model => model(context, dir, port, target, done).await?,
        };
    }
    Ok(done)
}

async fn dataset(
    context: &Context,
    config: &Config,
    dir: &Path,
    port: &str,
    done: Done,
) -> Result<Done, OperatorError> {
    let paths = EXTENSIONS.map(|extension| dir.join(format!("{port}.{extension}")));
    let Some(path) = paths.iter().find(|path| path.symlink_metadata().is_ok()) else {
        return Err(missing(
            port,
            &format!("`{port}.parquet`, `{port}.jsonl` or `{port}.csv`"),
        ));
    };
    if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return Err(odd(path, "a plain file"));
    }
    let keys: Vec<&str> = config
        .keys
        .get(port)
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let spec = context.dataset_spec(port, Arc::new(Schema::empty()), &keys)?;
    let staged = context.store().import_dataset(spec, path).await?;
    let rows = staged.rows;
    Ok(done.dataset(port, staged).metric(&format!("{port}_rows"), rows))
}

async fn model(
    context: &Context,
    dir: &Path,
    port: &str,
    target: &OutputTarget,
    done: Done,
) -> Result<Done, OperatorError> {
    let folder = dir.join(port);
    if folder.symlink_metadata().is_err() {
        return Err(missing(
            port,
            &format!("a folder `{port}` with the model's files"),
        ));
    }
    let files = files(&folder)?;
    if files.is_empty() {
        return Err(missing(port, &format!("files in the folder `{port}`")));
    }
    let card = format!("# {}\n\nMade by a command.\n", target.name);
    let mut writer = context.stage_model(port, None, Value::Null, card, std::collections::BTreeMap::new())?;
    for (relative, path) in files {
        writer.add_file(&relative, &path).await?;
    }
    Ok(done.model(port, writer.finish().await?))
}

/// All files below a folder, by relative path. A link could lead to any file of this machine, so there is none.
fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, OperatorError> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).max_depth(32).sort_by_file_name() {
        let entry = entry.map_err(|error| unwritable(folder, &io::Error::from(error)))?;
        if entry.file_type().is_dir() {
            continue;
        }
        let relative = entry.path().strip_prefix(folder).ok().and_then(Path::to_str);
        match relative {
            Some(relative) if entry.file_type().is_file() => {
                found.push((relative.to_owned(), entry.into_path()))
            }
            _ => return Err(odd(entry.path(), "a plain file with a name in UTF-8")),
        }
    }
    Ok(found)
}

fn missing(port: &str, what: &str) -> OperatorError {
    OperatorError::data(
        "command.output_missing",
        format!("the command ended well but left no output `{port}`"),
        format!("Let it write {what} into the folder that $TWINLOOM_OUTPUT_DIR names."),
    )
}

fn odd(path: &Path, wanted: &str) -> OperatorError {
    let kind = fs::symlink_metadata(path).map_or("gone", |found| {
        if found.is_symlink() {
            "a link"
        } else {
            "something else"
        }
    });
    OperatorError::data(
        "command.output",
        format!("{} is {kind}, not {wanted}", path.display()),
        "Let the command write the file itself into the output folder.",
    )
}
