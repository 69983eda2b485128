//! Reading DAG and pipeline files, and the commands that only look at files.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use twinloom_spec::{Catalog, Library, SourceFile, model::ParamType};

use crate::{app::App, args::Params, error::CliError, output};

/// The spec refuses files above 1 MiB; reading one byte more is enough for it to see that.
const LONGEST_FILE: u64 = (1 << 20) + 1;

/// Reads a file, at most as much as the spec accepts.
///
/// # Errors
/// `file.unreadable`, `file.not_text`.
pub fn read(path: &Path) -> Result<SourceFile, CliError> {
    let unreadable = |error: std::io::Error| {
        CliError::usage(
            "file.unreadable",
            format!("`{}` cannot be read: {error}", path.display()),
            "Check the path; `twinloom init` writes a starter project.",
        )
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST_FILE).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // A character cut by the limit is no fault of the file; the spec will refuse its length.
        Err(error) if error.as_bytes().len() as u64 == LONGEST_FILE => {
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            return Err(CliError::usage(
                "file.not_text",
                format!("`{}` is not UTF-8 text (byte {at})", path.display()),
                "Save it as UTF-8.",
            ));
        }
    };
    Ok(SourceFile {
        name: path.display().to_string(),
        text,
    })
}

/// The pipelines a DAG file may use: those of the folder given, else of `pipelines` beside it or beside its folder.
///
/// # Errors
/// Diagnostics of the pipeline files, `file.unreadable`.
pub fn library(file: &Path, dir: Option<&Path>) -> Result<Library, CliError> {
    let beside = |base: Option<&Path>| base.map(|base| base.join("pipelines")).filter(|dir| dir.is_dir());
    let absolute = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let parent = absolute.parent();
    let dir = match dir {
        Some(dir) => Some(dir.to_owned()),
        None => beside(parent).or_else(|| beside(parent.and_then(Path::parent))),
    };
    let Some(dir) = dir else {
        return Ok(Library::default());
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(&dir).map_err(|error| {
        CliError::usage(
            "file.unreadable",
            format!(
                "the pipelines' folder `{}` cannot be read: {error}",
                dir.display()
            ),
            "Check --pipelines.",
        )
    })? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml"));
    paths.sort();
    let files = paths
        .iter()
        .map(|path| read(path))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Library::from_files(files)?)
}

/// `NAME=VALUE` pairs; a value is read as YAML (so as JSON too), unless the parameter is declared as text.
///
/// # Errors
/// `param.syntax`; diagnostics of the file.
pub fn params(file: &SourceFile, given: &Params) -> Result<Map<String, Value>, CliError> {
    let dag = twinloom_spec::parse_dag(file)?;
    let is_text = |name: &str| {
        let declared = dag
            .params
            .as_ref()
            .and_then(|params| params.get(name))
            .and_then(|param| param.kind.as_ref());
        declared.is_some_and(|kind| kind.value == ParamType::String)
    };
    let mut params = Map::new();
    for pair in &given.params {
        let Some((name, text)) = pair.split_once('=') else {
            return Err(CliError::usage(
                "param.syntax",
                format!("`{pair}` is not NAME=VALUE"),
                "Write --param NAME=VALUE, for instance --param author=Ada.",
            ));
        };
        let value = if is_text(name) {
            Value::String(text.to_owned())
        } else {
            twinloom_spec::read_value(text)
        };
        params.insert(name.to_owned(), value);
    }
    Ok(params)
}

/// `twinloom validate`.
///
/// # Errors
/// One error after all files were looked at.
pub fn validate(app: &App, files: &[PathBuf]) -> Result<(), CliError> {
    let result = |path: &PathBuf| (path.clone(), validate_one(app, path));
    verdict(app.global.json, files.iter().map(result).collect())
}

/// Says of each file whether it is valid, and what is wrong with it.
///
/// # Errors
/// `spec.invalid` where one is not.
pub fn verdict(json: bool, results: Vec<(PathBuf, Result<(), CliError>)>) -> Result<(), CliError> {
    let bad = results.iter().filter(|(_, result)| result.is_err()).count();
    let words = format!("{bad} of {} files are not valid", results.len());
    if json {
        let item = |(file, result): &(PathBuf, Result<(), CliError>)| match result {
            Ok(()) => json!({ "file": file, "valid": true }),
            Err(error) => json!({ "file": file, "valid": false, "error": error }),
        };
        output::json(&results.iter().map(item).collect::<Vec<_>>())?;
    } else {
        for (file, result) in results {
            match result {
                Ok(()) => output::line(&format!("{}: valid", file.display())),
                Err(error) => output::say(
                    &error
                        .rendered
                        .unwrap_or_else(|| format!("{}: {}", file.display(), error.message)),
                ),
            }
        }
    }
    if bad == 0 {
        return Ok(());
    }
    let mut error = CliError::usage("spec.invalid", words, "See above.");
    if json {
        // The document above holds all of it.
        error.rendered = Some(String::new());
    }
    Err(error)
}

fn validate_one(app: &App, path: &Path) -> Result<(), CliError> {
    let file = read(path)?;
    let library = library(path, None)?;
    if twinloom_spec::kind_of(&file).as_deref() == Some("Pipeline") {
        twinloom_spec::validate_pipeline(&file, &library, app.registry.as_ref())?;
    } else {
        twinloom_spec::validate(&file, &library, app.registry.as_ref())?;
    }
    Ok(())
}

/// `twinloom fmt`.
///
/// # Errors
/// Diagnostics; `fmt.unformatted` with `--check`.
pub fn fmt(app: &App, files: &[PathBuf], check: bool) -> Result<(), CliError> {
    let mut unformatted = Vec::new();
    for path in files {
        let file = read(path)?;
        let formatted = twinloom_spec::format(&file)?;
        if formatted == file.text {
            continue;
        }
        unformatted.push(path.display().to_string());
        if !check {
            // Beside the file and renamed, so that a full disk never leaves half of it.
            let beside = path.with_extension("yaml.new");
            fs::write(&beside, formatted)?;
            fs::rename(&beside, path)?;
        }
    }
    if app.global.json {
        output::json(&json!({ "changed": unformatted, "check": check }))?;
    } else {
        unformatted.iter().for_each(|path| output::line(path));
    }
    if check && !unformatted.is_empty() {
        return Err(CliError::failed(
            "fmt.unformatted",
            format!("{} files are not formatted", unformatted.len()),
            "Run `twinloom fmt` on them.",
        ));
    }
    Ok(())
}

/// `twinloom schema`.
///
/// # Errors
/// `operator.unknown`.
pub fn schema(app: &App, of: &str) -> Result<(), CliError> {
    let schema = match of {
        "dag" => twinloom_spec::json_schema(),
        "pipeline" => twinloom_spec::pipeline_json_schema(),
        name => operator(app, name)?.config_schema.clone(),
    };
    output::line(&serde_json::to_string_pretty(&schema)?);
    Ok(())
}

/// `twinloom operators`.
///
/// # Errors
/// `operator.unknown`.
pub fn operators(app: &App, name: Option<&str>) -> Result<(), CliError> {
    if let Some(name) = name {
        let signature = operator(app, name)?;
        if app.global.json {
            return output::json(signature);
        }
        output::line(&format!(
            "{} (version {}): {}\n",
            signature.name, signature.version, signature.summary
        ));
        let port = |port: &twinloom_spec::PortSignature, way: &str| {
            let kind = serde_json::to_value(port.kind)
                .ok()
                .and_then(|kind| kind.as_str().map(str::to_owned));
            let flag = if port.optional { "optional" } else { "" };
            vec![
                way.to_owned(),
                port.name.clone(),
                kind.unwrap_or_default(),
                flag.to_owned(),
                port.doc.clone(),
            ]
        };
        let rows: Vec<_> = signature
            .inputs
            .iter()
            .map(|p| port(p, "in"))
            .chain(signature.outputs.iter().map(|p| port(p, "out")))
            .collect();
        output::table(&["port", "name", "kind", "", "what"], &rows);
        output::line("\nwith:");
        output::line(&serde_json::to_string_pretty(&signature.config_schema)?);
        return Ok(());
    }
    let names = app.registry.names();
    let signatures: Vec<_> = names
        .iter()
        .filter_map(|name| app.registry.operator(name))
        .collect();
    if app.global.json {
        return output::json(&signatures);
    }
    let rows: Vec<_> = signatures
        .iter()
        .map(|s| vec![s.name.clone(), s.version.clone(), s.summary.clone()])
        .collect();
    output::table(&["operator", "version", "what"], &rows);
    Ok(())
}

fn operator<'a>(app: &'a App, name: &str) -> Result<&'a twinloom_spec::OperatorSignature, CliError> {
    app.registry.operator(name).ok_or_else(|| {
        CliError::not_found(
            "operator.unknown",
            format!("there is no operator `{name}`"),
            "See `twinloom operators` for all of them.",
        )
    })
}
