//! The API's document is checked in: clients are generated from it.

use std::path::Path;

#[test]
fn the_document_is_the_one_that_is_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = twinloom_server::openapi::text().unwrap();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "engine/server/openapi.json is not what the handlers say: UPDATE_OPENAPI=1 cargo test -p twinloom-server document"
    );
}

#[test]
fn every_operation_has_a_rule_an_id_and_an_answer() {
    let document: serde_json::Value =
        serde_json::from_str(&twinloom_server::openapi::text().unwrap()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let rule = operation["x-permission"]
                .as_str()
                .unwrap_or_else(|| panic!("{place} has no rule"));
            let known = ["public", "signed_in", "read", "operate", "approve", "admin"];
            assert!(known.contains(&rule), "{place}: {rule}");
            let writes = method != "get";
            assert!(
                !writes || rule != "read" || path.ends_with("/validate"),
                "{place} writes and only needs `read`"
            );
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            let answers = operation["responses"].as_object().unwrap();
            assert!(
                answers.keys().any(|status| status.starts_with('2')),
                "{place} has no good answer"
            );
            assert!(answers.contains_key("default"), "{place}");
        }
    }
}
