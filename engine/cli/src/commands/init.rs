//! `twinloom init`: a commented starter project.

use std::{fs, io, path::Path};

use serde_json::json;

use crate::{app::App, error::CliError, output};

/// The starter's files. The pipelines are those that the project itself runs.
const FILES: [(&str, &str); 7] = [
    ("dags/twin.yaml", include_str!("../../starter/twin.yaml")),
    (
        "pipelines/features.yaml",
        include_str!("../../../../pipelines/features.yaml"),
    ),
    (
        "pipelines/training.yaml",
        include_str!("../../../../pipelines/training.yaml"),
    ),
    (
        "pipelines/release.yaml",
        include_str!("../../../../pipelines/release.yaml"),
    ),
    ("writing/hello.md", include_str!("../../starter/hello.md")),
    ("README.md", include_str!("../../starter/README.md")),
    (".gitignore", "/.twinloom\n"),
];

/// Writes the files that are not there yet.
///
/// # Errors
/// `init.unwritable`.
pub fn run(app: &App, dir: &Path) -> Result<(), CliError> {
    let mut written = Vec::new();
    let mut kept = Vec::new();
    for (name, text) in FILES {
        let path = dir.join(name);
        let failed = |error: io::Error| {
            CliError::failed(
                "init.unwritable",
                format!("`{}` cannot be written: {error}", path.display()),
                "Choose a folder that you may write to: `twinloom init DIR`.",
            )
        };
        if path.exists() {
            kept.push(name);
            continue;
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&path, text).map_err(failed)?;
        written.push(name);
    }
    if app.global.json {
        return output::json(&json!({ "dir": dir, "written": written, "kept": kept }));
    }
    written
        .iter()
        .for_each(|name| output::line(&dir.join(name).display().to_string()));
    kept.iter()
        .for_each(|name| output::say(&format!("kept {}", dir.join(name).display())));
    output::say("\nPut your writing into writing/, then: twinloom run dags/twin.yaml");
    Ok(())
}
