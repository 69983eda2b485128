//! The checked-in JSON Schemas, and that they say what the parser does.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;
use twinloom_spec::{Dag, Pipeline, json_schema, model, pipeline_json_schema};

#[test]
fn the_checked_in_schemas_are_current() {
    for (name, schema) in [("dag", json_schema()), ("pipeline", pipeline_json_schema())] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{name}.schema.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let stored = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stored == text,
            "{} is not current: run `UPDATE_SCHEMA=1 cargo test -p twinloom-spec`",
            path.display()
        );
    }
}

fn keys(schema: &Value, name: &str) -> BTreeSet<String> {
    let own = if schema["title"] == name {
        schema
    } else {
        &schema["$defs"][name]
    };
    assert_eq!(
        own["additionalProperties"],
        Value::Bool(false),
        "{name} takes unknown keys"
    );
    own["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_parser_and_the_schema_know_the_same_keys() {
    let (dag, pipeline) = (json_schema(), pipeline_json_schema());
    let check = |schema: &Value, name: &str, parser: &[&str]| {
        let parser: BTreeSet<_> = parser.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(keys(schema, name), parser, "{name}");
    };
    macro_rules! check {
        ($schema:ident: $($name:ident),+) => { $(check(&$schema, stringify!($name), model::$name::KEYS);)+ };
    }
    check(&dag, "Dag", Dag::KEYS);
    check(&pipeline, "Pipeline", Pipeline::KEYS);
    check!(pipeline: PipelineInput);
    check!(dag: Step, Select, Search, Range, Halving, ParamSpec, Defaults, RetriesSpec, ResourcesSpec, ConcurrencySpec, On, Schedule);
    check!(dag: DatasetGroup, DatasetFilter, ModelFilter, Bounds, RunTrigger, WebhookTrigger, QueueTrigger);
    let known = dag["$defs"]
        .as_object()
        .unwrap()
        .values()
        .filter(|schema| schema["properties"].is_object())
        .count();
    assert_eq!(known, 19, "a struct of the schema is not compared here");
}

#[test]
fn every_key_is_described() {
    let schema = json_schema();
    for (name, part) in schema["$defs"]
        .as_object()
        .unwrap()
        .iter()
        .chain([(&"Dag".to_owned(), &schema)])
    {
        for (key, value) in part["properties"].as_object().into_iter().flatten() {
            assert!(
                value["description"].is_string(),
                "{name}.{key} has no description"
            );
        }
    }
    let reference = twinloom_spec::reference_docs();
    for key in [
        "`for_each`",
        "`min_changed_rows`",
        "`max_delay`",
        "`inputs`",
        "spec.unknown_key",
    ] {
        assert!(reference.contains(key), "{key} is not in the reference");
    }
}
