//! Datasets and the store from the command line.

use super::support::Project;

#[test]
fn import_look_tag_compare_export_and_path() {
    let project = Project::new();
    project.write(
        "one.jsonl",
        "{\"id\": \"a\", \"n\": 1}\n{\"id\": \"b\", \"n\": 2}\n",
    );
    project.write(
        "two.jsonl",
        "{\"id\": \"b\", \"n\": 3}\n{\"id\": \"c\", \"n\": 4}\n",
    );
    project.ok(&["dataset", "import", "things", "one.jsonl", "--keys", "id"]);
    let same = project.json(&["dataset", "import", "things", "one.jsonl", "--keys", "id"]);
    assert_eq!(same["outcome"], "unchanged");
    project.ok(&["dataset", "import", "things", "two.jsonl", "--keys", "id"]);
    project.ok(&["dataset", "tag", "things@1", "first"]);

    let diff = project.json(&["dataset", "diff", "things@first", "things@latest"]);
    assert_eq!(
        diff["diff"],
        serde_json::json!({ "added": ["c"], "changed": ["b"], "removed": ["a"] })
    );
    let head = project
        .ok(&["dataset", "head", "things@1", "-n", "1", "--json"])
        .stdout;
    assert_eq!(head.lines().count(), 1);
    let shown = project.json(&["dataset", "show", "things@2"]);
    assert_eq!(
        (&shown["rows"], &shown["columns"]["n"]["max"]),
        (&2.into(), &"4".into())
    );
    let path = project.ok(&["dataset", "path", "things"]).stdout;
    assert!(
        path.lines().all(|line| std::path::Path::new(line).is_file()),
        "{path}"
    );
    project.ok(&["dataset", "export", "things", "out", "--format", "jsonl"]);
    assert!(std::fs::read_dir(project.path("out")).unwrap().count() > 0);
    let list = project.json(&["dataset", "list"]);
    assert_eq!(
        (&list[0]["name"], &list[0]["version"]),
        (&"things".into(), &2.into())
    );
}

#[test]
fn verify_finds_damage_and_gc_keeps_what_is_published() {
    let project = Project::new();
    project.write("one.jsonl", "{\"id\": \"a\", \"n\": 1}\n");
    project.ok(&["dataset", "import", "things", "one.jsonl", "--keys", "id"]);
    project.ok(&["store", "verify"]);
    project.ok(&["store", "gc", "--grace-hours", "0"]);
    project.ok(&["dataset", "head", "things"]);
    project.ok(&["store", "reindex"]);
    let path = project.ok(&["dataset", "path", "things"]).stdout;
    let blob = path.lines().next().unwrap();
    let mut permissions = std::fs::metadata(blob).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "a file of this test")]
    permissions.set_readonly(false);
    std::fs::set_permissions(blob, permissions).unwrap();
    std::fs::write(blob, "damaged").unwrap();
    let ran = project.run(&["store", "verify"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("things"), "{}", ran.stdout);
}

#[test]
fn a_name_that_is_near_is_suggested() {
    let project = Project::new();
    project.write("one.jsonl", "{\"id\": \"a\"}\n");
    project.ok(&["dataset", "import", "things", "one.jsonl", "--keys", "id"]);
    let ran = project.run(&["dataset", "head", "thing"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("things"), "{}", ran.stderr);
    assert_eq!(project.run(&["dataset", "head", "../../etc"]).code, 2);
}
