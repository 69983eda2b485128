//! Every operator has its registry line, its README, tests, a described configuration and a current schema file.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use twinloom_sdk::DynOperator;

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
