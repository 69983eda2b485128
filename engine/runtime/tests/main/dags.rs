//! The folder of DAGs.

use std::fs;

use serde_json::{Map, json};
use twinloom_runtime::WaitFor;

use crate::support::{self, Home, service, write_dag};

#[tokio::test]
async fn a_bad_file_harms_no_good_one_and_the_last_good_version_stays() {
    let home = Home::new();
    let engine = home.engine().await;
    write_dag(home.dir.path(), "one", "description: first");
    write_dag(home.dir.path(), "two", "description: second");
    let dags = support::dags(&engine);
    assert!(dags.entries().iter().all(|entry| entry.is_current()));
    let generation = dags.subscribe();
    let path = home.dir.path().join("dags/one.yaml");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, good.replace("uses: idle", "uses: idel")).unwrap();
    fs::write(home.dir.path().join("dags/three.yml"), "kind: [Dag").unwrap();
    assert!(dags.reload().unwrap());
    assert!(generation.has_changed().unwrap());
    let names: Vec<_> = dags.entries().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["one", "three", "two"]);
    let broken = dags.entry("one").unwrap();
    assert_eq!(broken.running_text(), Some(good.as_str()));
    assert!(broken.text.contains("idel") && !broken.is_current());
    let found = &broken.diagnostics[0];
    assert_eq!((found.code, found.line), ("spec.unknown_operator", 6));
    let (plan, text) = dags.plan("one", &Map::new()).unwrap();
    assert_eq!((plan.tasks.len(), text), (1, good.clone()));
    assert_eq!(dags.plan("three", &Map::new()).unwrap_err().code(), "dag.invalid");
    assert_eq!(dags.plan("four", &Map::new()).unwrap_err().code(), "dag.unknown");
    assert!(dags.entry("two").unwrap().is_current());
    fs::write(&path, &good).unwrap();
    assert!(dags.reload().unwrap());
    assert!(dags.entry("one").unwrap().is_current());
    assert!(!dags.reload().unwrap(), "nothing has changed");
}

#[tokio::test]
async fn a_file_is_gone_once_it_is_missed_twice() {
    let home = Home::new();
    let engine = home.engine().await;
    write_dag(home.dir.path(), "one", "");
    let dags = support::dags(&engine);
    let path = home.dir.path().join("dags/one.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    dags.reload().unwrap();
    assert!(
        dags.entry("one").is_some(),
        "an editor may be about to put it back"
    );
    fs::write(&path, text).unwrap();
    dags.reload().unwrap();
    assert!(dags.entry("one").is_some());
    fs::remove_file(&path).unwrap();
    dags.reload().unwrap();
    dags.reload().unwrap();
    assert!(dags.entry("one").is_none());
}

#[tokio::test]
async fn a_pipeline_that_changes_is_checked_with_the_dags_that_use_it() {
    let home = Home::new();
    let engine = home.engine().await;
    let folder = home.dir.path().join("pipelines");
    fs::create_dir_all(&folder).unwrap();
    let pipeline = "apiVersion: twinloom/v1\nkind: Pipeline\nname: notes\nsteps:\n  note: {uses: idle}\n";
    fs::write(folder.join("notes.yaml"), pipeline).unwrap();
    let dag = "apiVersion: twinloom/v1\nkind: Dag\nname: user\nsteps:\n  all: {uses: pipeline/notes}\n";
    fs::create_dir_all(home.dir.path().join("dags")).unwrap();
    fs::write(home.dir.path().join("dags/user.yaml"), dag).unwrap();
    let dags = support::dags(&engine);
    assert!(dags.entry("user").unwrap().is_current());
    fs::write(folder.join("notes.yaml"), pipeline.replace("idle", "idel")).unwrap();
    dags.reload().unwrap();
    assert!(!dags.entry("user").unwrap().diagnostics.is_empty());
    // It still runs as it did, with the pipeline as it was.
    assert_eq!(
        dags.plan("user", &Map::new()).unwrap().0.tasks[0].operator,
        "idle"
    );
}

#[tokio::test]
async fn two_dags_of_one_name_are_told_and_the_first_runs() {
    let home = Home::new();
    let engine = home.engine().await;
    write_dag(home.dir.path(), "one", "");
    let first = home.dir.path().join("dags/one.yaml");
    fs::copy(&first, home.dir.path().join("dags/two.yaml")).unwrap();
    let dags = support::dags(&engine);
    assert!(dags.entry("one").unwrap().is_current());
    let codes: Vec<_> = dags
        .entries()
        .iter()
        .flat_map(|entry| {
            entry
                .diagnostics
                .iter()
                .map(|found| found.code)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(codes, ["spec.duplicate_dag"]);
}

#[tokio::test]
async fn writing_names_what_was_read_and_never_stores_errors() {
    let home = Home::new();
    let engine = home.engine().await;
    write_dag(home.dir.path(), "one", "");
    let dags = support::dags(&engine);
    let before = dags.entry("one").unwrap();
    let text = before.text.replace("note:", "memo:");
    let written = dags.write("one", &text, Some(&before.hash)).unwrap();
    assert_eq!(written.text, text);
    let stale = dags.write("one", &before.text, Some(&before.hash)).unwrap_err();
    assert_eq!(stale.code(), "dag.conflict");
    let broken = dags
        .write("one", &text.replace("uses", "use"), Some(&written.hash))
        .unwrap_err();
    assert_eq!(broken.code(), "dag.invalid");
    let other = dags.write("two", &text, None).unwrap_err();
    assert_eq!(other.code(), "dag.other_name");
    let new = dags
        .write("two", &text.replace("name: one", "name: two"), None)
        .unwrap();
    assert_eq!(new.path, home.dir.path().join("dags/two.yaml"));
    assert_eq!(fs::read_to_string(&before.path).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_the_text_that_it_was_started_with() {
    let home = Home::new();
    write_dag(
        home.dir.path(),
        "one",
        "params: {size: {type: integer, default: 1}}",
    );
    let service = service(home.engine().await).await;
    let trigger = json!({ "kind": "manual" });
    let first = service
        .submit("one", &Map::new(), trigger.clone(), "ada")
        .await
        .unwrap();
    let before = service.dags().entry("one").unwrap();
    let text = before.text.replace("note:", "memo:");
    service.dags().write("one", &text, Some(&before.hash)).unwrap();
    let second = service
        .submit("one", &Map::new(), trigger.clone(), "ada")
        .await
        .unwrap();
    let engine = service.engine();
    for (run, text, step) in [(&first, &before.text, "note"), (&second, &text, "memo")] {
        let summary = engine.wait(run, WaitFor::Ended).await.unwrap();
        assert_eq!(summary.tasks[0].step, step);
        let row = engine.config().meta.run(run).await.unwrap();
        assert_eq!(&row.dag_text, text);
        assert_eq!(row.trigger, json!({ "kind": "manual", "by": "ada" }));
    }
    let wrong = json!({ "size": "large" });
    let wrong = service
        .submit("one", wrong.as_object().unwrap(), trigger, "ada")
        .await
        .unwrap_err();
    assert_eq!(wrong.code(), "dag.invalid");
    service.shutdown().await;
}
