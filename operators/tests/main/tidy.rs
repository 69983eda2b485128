//! Every operator has its registry line, its README, tests, a described configuration and a current schema file.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use regex::Regex;
use serde_json::Value;
use twinloom_sdk::DynOperator;

use super::files;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Folders of operators: those with a `config.rs` beside their `mod.rs`; others hold what several of them share.
fn folders() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let operators = entries.filter(|path| path.join("mod.rs").exists() && path.join("config.rs").exists());
    operators
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_folder_is_registered_and_every_operator_has_one() {
    let registry = twinloom_operators::registry();
    let registered: BTreeSet<String> = registry
        .iter()
        .map(|operator| operator.info().name.to_owned())
        .collect();
    assert!(registered.len() >= 5);
    assert_eq!(
        folders(),
        registered,
        "left: folders in src; right: lines in registry()"
    );
}

#[test]
fn every_operator_is_complete() {
    let mut missing = Vec::new();
    for operator in twinloom_operators::registry().iter() {
        let name = operator.info().name;
        let folder = root().join("src").join(name);
        check_files(&folder, name, &mut missing);
        check_config(operator.as_ref(), &folder, &mut missing);
        check_info(operator.as_ref(), &mut missing);
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// `UPDATE_SCHEMA=1` writes the files anew.
#[test]
fn checked_in_schemas_are_current() {
    let dir = root().join("schema");
    let mut wrong = Vec::new();
    for operator in twinloom_operators::registry().iter() {
        let path = dir.join(format!("{}.json", operator.info().name));
        let schema = format!("{:#}\n", operator.signature().config_schema);
        if env::var_os("UPDATE_SCHEMA").is_some() {
            fs::create_dir_all(&dir).unwrap();
            fs::write(&path, &schema).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != schema {
            wrong.push(path.display().to_string());
        }
    }
    assert!(
        wrong.is_empty(),
        "not current, run the tests once with UPDATE_SCHEMA=1:\n{}",
        wrong.join("\n")
    );
}

/// What a person may be told is found in the README, and nothing stands there that no code says any more.
#[test]
fn every_readme_lists_the_error_codes() {
    let sources = sources(&[root().join("src"), root().join("torch/src")]);
    let mut wrong = Vec::new();
    for operator in twinloom_operators::registry().iter() {
        let name = operator.info().name;
        let readme = fs::read_to_string(root().join("src").join(name).join("README.md")).unwrap_or_default();
        let raised = Regex::new(&format!(r#"(?:config|data|retry|=> )\(\s*"({name}\.[a-z_]+)""#)).unwrap();
        let raised: BTreeSet<&str> = sources
            .iter()
            .flat_map(|text| raised.captures_iter(text))
            .filter_map(|found| Some(found.get(1)?.as_str()))
            .collect();
        for code in &raised {
            if !readme.contains(&format!("`{code}`")) {
                wrong.push(format!("{name}: README.md does not list the error `{code}`"));
            }
        }
        let listed = Regex::new(&format!(r"`({name}\.[a-z_]+)`")).unwrap();
        for (_, [code]) in listed.captures_iter(&readme).map(|found| found.extract()) {
            let literal = format!("\"{code}\"");
            if !sources.iter().any(|text| text.contains(&literal)) {
                wrong.push(format!("{name}: README.md lists `{code}`, which no code says"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A hint that names a target which there is not helps nobody.
#[test]
fn every_make_target_that_is_named_exists() {
    let project = root().join("..");
    let makefile = fs::read_to_string(project.join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase()))
        .collect();
    assert!(
        targets.contains("demo") && targets.contains("build"),
        "{targets:?}"
    );
    // Words of prose follow `make` as well; after a backtick it is a command.
    let named = Regex::new("`make ([a-z]+)").unwrap();
    let mut wrong = Vec::new();
    let folders = ["engine", "operators", "infra", "dags", "pipelines"];
    let texts = folders
        .into_iter()
        .flat_map(|folder| kept(&project.join(folder)))
        .chain([project.join("README.md")]);
    for path in texts {
        let text = fs::read_to_string(&path).unwrap();
        for (_, [target]) in named.captures_iter(&text).map(|found| found.extract()) {
            if !targets.contains(target) {
                wrong.push(format!("{}: `make {target}`", path.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "no targets of the Makefile:\n{}",
        wrong.join("\n")
    );
}

/// Code and texts below a folder.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let kinds = ["rs", "md", "sh", "py", "yaml", "ts", "tsx"];
    let mut found = files(folder, |_| false);
    found.retain(|path| {
        path.extension()
            .is_some_and(|end| kinds.iter().any(|kind| end == *kind))
    });
    found
}

/// The code of operators, tests left out.
fn sources(folders: &[PathBuf]) -> Vec<String> {
    let code = folders.iter().flat_map(|folder| kept(folder));
    let code = code.filter(|path| {
        let path = path.to_string_lossy();
        path.ends_with(".rs") && !path.contains("/tests")
    });
    code.map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn check_files(folder: &Path, name: &str, missing: &mut Vec<String>) {
    for file in ["mod.rs", "config.rs", "tests.rs", "README.md"] {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        if text.trim().is_empty() {
            missing.push(format!("{name}: {file} is missing or empty"));
        }
    }
    let tests = fs::read_to_string(folder.join("tests.rs")).unwrap_or_default();
    if !tests.contains("#[test]") && !tests.contains("#[tokio::test") && !tests.contains("proptest!") {
        missing.push(format!("{name}: tests.rs has no test"));
    }
}

fn check_config(operator: &dyn DynOperator, folder: &Path, missing: &mut Vec<String>) {
    let name = operator.info().name;
    let schema = operator.signature().config_schema;
    let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    let keys = schema
        .get("properties")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    for key in keys.keys().filter(|key| !readme.contains(&format!("`{key}`"))) {
        missing.push(format!("{name}: README.md does not name the key `{key}`"));
    }
    undescribed(&schema, &format!("{name}:"), missing);
    if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        missing.push(format!(
            "{name}: unknown keys are not refused (deny_unknown_fields)"
        ));
    }
}

/// Names every property without a description, those of nested types included.
fn undescribed(schema: &Value, at: &str, missing: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            for (key, value) in fields
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                if value.get("description").is_none() && value.get("const").is_none() {
                    missing.push(format!("{at} the key `{key}` has no description"));
                }
            }
            fields.values().for_each(|value| undescribed(value, at, missing));
        }
        Value::Array(items) => items.iter().for_each(|item| undescribed(item, at, missing)),
        _ => {}
    }
}

fn check_info(operator: &dyn DynOperator, missing: &mut Vec<String>) {
    let info = operator.info();
    if info.version.is_empty() || !info.summary.ends_with('.') {
        missing.push(format!(
            "{}: a version, and a summary that is a sentence",
            info.name
        ));
    }
    for port in info
        .inputs
        .iter()
        .chain(&info.outputs)
        .filter(|port| port.doc.is_empty())
    {
        missing.push(format!(
            "{}: the port `{}` has no description",
            info.name, port.name
        ));
    }
    if info.outputs.is_empty() && !info.open_ports {
        missing.push(format!("{}: it has no output", info.name));
    }
}
