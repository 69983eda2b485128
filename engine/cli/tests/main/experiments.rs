//! `experiments` and `model report`, over what runs and evaluations leave.

use std::{collections::BTreeMap, fs, sync::Arc};

use arrow::{
    array::{RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use twinloom_store::{
    ArtifactKind, Commit, FeatureStore, InputVersion, Name, Producer, StageDataset, StageModel, StoreLocation,
};

use super::support::Project;

/// Two trials, each with a curve.
const DAG: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: tries
params: {author: {type: string, default: Ada}}
steps:
  fit:
    uses: command
    matrix: {rate: [1, 2]}
    with:
      argv:
        - sh
        - -c
        - >-
          for step in 1 2 3; do echo "{\"type\":\"metric\",\"name\":\"eval_loss\",\"value\":$((RATE + step)),\"step\":$step}"; done;
          echo "{\"type\":\"result\",\"metrics\":{\"eval_loss\":$((RATE + 3))}}"
      env: {RATE: "${{ matrix.rate | string }}"}
"#;

#[test]
fn experiments_are_listed_compared_and_drawn() {
    let project = Project::new();
    project.write("dag.yaml", DAG);
    let run = project.json(&["run", "dag.yaml"]);
    assert_eq!(run["status"], "succeeded", "{run}");
    let id = run["id"].as_str().unwrap();

    let listed = project.json(&["experiments", "list", "--dag", "tries"]);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 2, "{listed:?}");
    let figures: Vec<_> = listed
        .iter()
        .map(|one| one["metrics"]["eval_loss"].as_i64().unwrap())
        .collect();
    assert_eq!(figures, [4, 5]);
    assert_eq!(
        project
            .json(&["experiments", "list", "-n", "1"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let none = project.json(&["experiments", "list", "--dag", "other"]);
    assert!(none.as_array().unwrap().is_empty());
    let table = project.ok(&["experiments", "list"]).stdout;
    assert!(
        table.contains(&format!("{id}/fit")) && table.contains("EVAL_LOSS"),
        "{table}"
    );

    let compared = project.json(&["experiments", "compare", "latest"]);
    let differs = |name: &str| {
        let rows = compared["rows"].as_array().unwrap();
        rows.iter()
            .find(|row| row["name"] == name)
            .map(|row| row["values"].clone())
    };
    assert_eq!(differs("eval_loss"), Some(serde_json::json!([4, 5])));
    assert_eq!(differs("author"), None, "what is equal is left out");
    let all = project.ok(&["experiments", "compare", id, "--all"]).stdout;
    assert!(all.contains("author") && all.contains("Ada"), "{all}");

    let curves = project.json(&["experiments", "curves", "latest", "--metric", "eval_loss"]);
    assert_eq!(
        curves[0]["points"],
        serde_json::json!([[1, 2.0], [2, 3.0], [3, 4.0]])
    );
    assert!(
        project
            .ok(&["experiments", "curves", "latest"])
            .stdout
            .contains('█')
    );

    project.fails(
        &["experiments", "compare", "latest/nobody"],
        3,
        "experiment.not_found",
        "experiments list",
    );
    project.fails(
        &["experiments", "curves", "01ABSENT"],
        3,
        "meta.not_found",
        "twinloom runs",
    );
}

/// A model of two versions, the first of which was evaluated.
async fn evaluated(project: &Project) {
    let location = StoreLocation::new(project.path(".twinloom/store").display().to_string());
    let store = FeatureStore::open(&location).await.unwrap();
    let producer = Producer {
        run: "r".to_owned(),
        operator: "test".to_owned(),
        ..Producer::default()
    };
    let commit = || Commit {
        task_key: None,
        not_before: None,
        now: jiff::Timestamp::UNIX_EPOCH,
    };
    let mut models = Vec::new();
    for number in [1, 2] {
        let spec = StageModel {
            name: Name::new("twin").unwrap(),
            base: None,
            config: serde_json::json!({ "number": number }),
            card: String::new(),
            metrics: BTreeMap::new(),
            producer: producer.clone(),
            inputs: Vec::new(),
        };
        let staged = store.model_writer(spec).finish().await.unwrap();
        models.push(store.commit_model(staged, commit()).await.unwrap().manifest);
    }
    let columns = ["name", "media_type", "content"];
    let fields: Vec<_> = columns
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, false))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let column = |values: [&str; 2]| Arc::new(StringArray::from_iter_values(values)) as _;
    let rows = vec![
        column(["report.html", "report.json"]),
        column(["text/html", "application/json"]),
        column(["<h1>Twin</h1>", "{\"passed\": true}"]),
    ];
    let mut writer = store.dataset_writer(StageDataset {
        name: Name::new("page").unwrap(),
        schema: Arc::clone(&schema),
        keys: Vec::new(),
        producer,
        inputs: vec![InputVersion {
            port: "candidate".to_owned(),
            kind: ArtifactKind::Model,
            id: models[0].id(),
        }],
    });
    writer
        .write(RecordBatch::try_new(schema, rows).unwrap())
        .await
        .unwrap();
    let staged = writer.finish().await.unwrap();
    store.commit_dataset(staged, commit()).await.unwrap();
}

#[test]
fn a_models_report_is_written_as_a_page_or_printed_as_json() {
    let project = Project::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(evaluated(&project));
    let report = project.json(&["model", "report", "twin@1"]);
    assert_eq!(report["passed"], true);
    let ran = project.ok(&["model", "report", "twin@1", "--out", "report.html"]);
    assert_eq!(ran.stdout, "report.html\n");
    assert_eq!(
        fs::read_to_string(project.path("report.html")).unwrap(),
        "<h1>Twin</h1>"
    );
    assert_eq!(project.ok(&["model", "report", "twin@1"]).stdout, "twin-1.html\n");
    let written = project.json(&["model", "report", "twin@1", "--out", "again.html"]);
    assert_eq!(written["file"], "again.html");
    project.fails(
        &["model", "report", "twin@2"],
        3,
        "report.not_found",
        "`evaluate` step",
    );
    project.fails(&["model", "report", "nobody"], 3, "store.not_found", "");
}
