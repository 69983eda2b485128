//! `twinloom plan`: what a run would do, and why.

use std::path::Path;

use twinloom_runtime::TaskPreview;

use super::files;
use crate::{app::App, args::Params, error::CliError, output};

/// Runs the command.
///
/// # Errors
/// Diagnostics of the file; what the engine says.
pub async fn run(app: &App, path: &Path, params: &Params) -> Result<(), CliError> {
    let file = files::read(path)?;
    let library = files::library(path, params.pipelines.as_deref())?;
    let given = files::params(&file, params)?;
    let plan = twinloom_spec::plan(&file, &library, app.registry.as_ref(), &given)?;
    let engine = app.engine(None).await?;
    let previews = engine.plan_preview(&plan).await?;
    if app.global.json {
        return output::json(&previews);
    }
    let row = |preview: &TaskPreview| {
        let would = serde_json::to_value(preview.would)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned));
        vec![
            preview.task.clone(),
            preview.operator.clone(),
            would.unwrap_or_default(),
            preview.why.clone(),
        ]
    };
    output::table(
        &["task", "operator", "would", "why"],
        &previews.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}
