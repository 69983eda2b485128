//! Every format ever written stays readable: a small store of each is kept.

use std::path::Path;

use twinloom_store::{FeatureStore, StoreLocation};

use crate::common::*;

#[tokio::test]
async fn format_1_is_readable() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    let store = FeatureStore::open(&StoreLocation::new(folder.display().to_string()))
        .await
        .unwrap();
    let report = store.verify(|_| {}).await.unwrap();
    assert_eq!((report.problems.as_slice(), report.versions), (&[][..], 3));
    let first = store.dataset(&"letters@first".parse().unwrap()).await.unwrap();
    let second = store.dataset(&"letters".parse().unwrap()).await.unwrap();
    assert_eq!(
        (first.format, first.version, second.version, second.parent),
        (1, 1, 2, Some(1))
    );
    let text = |rows: &[(&str, i64, &str)]| -> Rows {
        rows.iter()
            .map(|(id, chunk, text)| (((*id).to_owned(), *chunk), (*text).to_owned()))
            .collect()
    };
    assert_eq!(
        rows_of(&store, &first).await,
        text(&[("a", 0, "alpha"), ("b", 0, "beta")])
    );
    assert_eq!(
        rows_of(&store, &second).await,
        text(&[("b", 0, "BETA"), ("b", 1, "beta 2"), ("c", 0, "gamma")])
    );
    assert_eq!(
        (first.id().hash, second.id().hash),
        (first.data.content_hash.clone(), second.data.content_hash.clone())
    );
    let changes = second.data.changes.unwrap();
    assert_eq!((changes.added, changes.changed, changes.removed), (1, 1, 1));
    let diff = store.diff(&first, &second).await.unwrap();
    assert_eq!(
        (diff.added, diff.changed, diff.removed),
        (vec!["c".into()], vec!["b".into()], vec!["a".into()])
    );
    let model = store.model(&"twin@production".parse().unwrap()).await.unwrap();
    assert_eq!(
        store.get_blob(&model.data.files["README.md"]).await.unwrap(),
        "# twin\n"
    );
    assert_eq!(model.data.inputs[0].id, second.id());
}
