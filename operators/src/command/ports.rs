//! Inputs for a program: paths in environment variables.

use std::path::{Path, PathBuf};

use tokio::fs;
use twinloom_sdk::{ArtifactId, Context, OperatorError};
use twinloom_store::{ArtifactKind, ExportFormat};

/// The system refuses a variable of more than 128 KiB; longer lists are in the file alone.
const LONGEST_VARIABLE: usize = 100_000;

/// Makes all inputs readable; gives the variables that say where they are: `TWINLOOM_INPUT_<PORT>` with one path a
/// line, and `TWINLOOM_INPUT_<PORT>_FILE` with a file of the same lines.
pub(super) async fn inputs(context: &Context) -> Result<Vec<(String, String)>, OperatorError> {
    let folder = context.work_dir().join("inputs");
    let mut variables = Vec::new();
    for (port, artifacts) in &context.task().inputs {
        let mut paths = Vec::new();
        for (number, artifact) in artifacts.iter().enumerate() {
            paths.extend(of(context, artifact, &folder.join(port).join(number.to_string())).await?);
        }
        let list = paths.join("\n");
        let file = folder.join(format!("{port}.paths"));
        make(&folder).await?;
        fs::write(&file, &list)
            .await
            .map_err(|error| unwritable(&file, &error))?;
        let name = format!("TWINLOOM_INPUT_{}", variable(port));
        variables.push((format!("{name}_FILE"), file.display().to_string()));
        if list.len() <= LONGEST_VARIABLE {
            variables.push((name, list));
        }
    }
    Ok(variables)
}

/// A dataset's Parquet files where they are, or copies where the store is no local folder; a model's folder.
async fn of(context: &Context, artifact: &ArtifactId, folder: &Path) -> Result<Vec<String>, OperatorError> {
    let store = context.store();
    match artifact.kind {
        ArtifactKind::Dataset => {
            let manifest = store.dataset_exact(&artifact.id).await?;
            let paths = store.paths(&manifest);
            if paths.iter().all(|path| Path::new(path).is_absolute()) {
                return Ok(paths);
            }
            make(folder).await?;
            store
                .export_dataset(&manifest, ExportFormat::Parquet, folder)
                .await?;
            let mut found = Vec::new();
            let failed = |error: std::io::Error| unwritable(folder, &error);
            let mut folders = vec![folder.to_owned()];
            while let Some(next) = folders.pop() {
                let mut entries = fs::read_dir(&next).await.map_err(failed)?;
                while let Some(entry) = entries.next_entry().await.map_err(failed)? {
                    let path = entry.path();
                    if path.is_dir() {
                        folders.push(path);
                    } else if path.extension().is_some_and(|extension| extension == "parquet") {
                        found.push(path.display().to_string());
                    }
                }
            }
            found.sort();
            Ok(found)
        }
        ArtifactKind::Model => {
            let manifest = store.model_exact(&artifact.id).await?;
            make(folder).await?;
            store.checkout_model(&manifest, folder).await?;
            Ok(vec![folder.display().to_string()])
        }
    }
}

/// The folder that a program writes its outputs to.
pub(super) async fn output_dir(context: &Context) -> Result<PathBuf, OperatorError> {
    let folder = context.work_dir().join("outputs");
    make(&folder).await?;
    Ok(folder)
}

async fn make(folder: &Path) -> Result<(), OperatorError> {
    fs::create_dir_all(folder)
        .await
        .map_err(|error| unwritable(folder, &error))
}

pub(super) fn unwritable(path: &Path, error: &std::io::Error) -> OperatorError {
    OperatorError::config(
        "command.work_dir",
        format!("could not use {}: {error}", path.display()),
        "Check that Twinloom's home is writable and has space.",
    )
}

/// A port as part of a variable's name: upper case, `_` for what is neither letter nor digit.
fn variable(port: &str) -> String {
    port.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect()
}
