//! Files that are not what the index wrote: a typed error each time, and never a crash.

use std::fs;

use serde_json::{Value, json};

use super::{filled, record, version};
use crate::vectors::{VectorIndex, open_embedded};

fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| file.file_name().unwrap() != "lock");
    files.sort();
    files
}

#[tokio::test]
async fn each_file_cut_emptied_or_removed_is_found_at_opening() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), 12, 4).await;
    index.delete_entities(&["d1".to_owned()]).await.unwrap();
    index.commit(version(2)).await.unwrap();
    drop(index);
    let all = files(dir.path());
    assert_eq!(all.len(), 5, "{all:?}");
    for file in all {
        let whole = fs::read(&file).unwrap();
        let longer = [whole.as_slice(), b"x"].concat();
        for wrong in [&whole[..whole.len() / 2], &whole[..0], &longer] {
            fs::write(&file, wrong).unwrap();
            let error = open_embedded(dir.path())
                .map(|_| ())
                .expect_err(&format!("{file:?} with {} bytes", wrong.len()));
            assert_eq!(error.code(), "vectors.corrupt");
        }
        fs::remove_file(&file).unwrap();
        if !file.ends_with("index.json") {
            assert_eq!(
                open_embedded(dir.path()).map(|_| ()).unwrap_err().code(),
                "vectors.corrupt"
            );
        }
        fs::write(&file, whole).unwrap();
    }
    assert_eq!(
        open_embedded(dir.path()).unwrap().state().await.unwrap().count,
        22
    );
}

#[tokio::test]
async fn flipped_bits_are_found_by_verify_and_no_search_crashes() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 12, 4).await);
    for file in files(dir.path()) {
        if file.ends_with("index.json") {
            continue;
        }
        let whole = fs::read(&file).unwrap();
        for place in (0..whole.len()).step_by(7) {
            let mut wrong = whole.clone();
            wrong[place] ^= 0xff;
            fs::write(&file, &wrong).unwrap();
            let index = open_embedded(dir.path()).unwrap();
            assert_eq!(
                index.verify().await.unwrap_err().code(),
                "vectors.corrupt",
                "{file:?} at {place}"
            );
            if let Err(error) = index.search(&[1.0; 4], 24, None).await {
                assert_eq!(error.code(), "vectors.corrupt");
            }
        }
        fs::write(&file, whole).unwrap();
    }
}

#[tokio::test]
async fn a_hostile_index_file_is_refused_and_can_be_written_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 3, 4).await);
    let path = dir.path().join("index.json");
    let good: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let set = |at: &str, value: Value| {
        let mut wrong = good.clone();
        *wrong.pointer_mut(at).unwrap() = value;
        wrong.to_string()
    };
    let wrong = [
        "[".repeat(100_000),
        String::new(),
        set("/format", json!(2)),
        set("/dimension", json!(0)),
        set("/dimension", json!(5)),
        set("/dimension", json!(u64::MAX)),
        set("/segments/0/name", json!("../../etc/passwd")),
        set("/segments/0/name", json!("s1/../s1")),
        set("/segments/0/rows", json!(0)),
        set("/segments/0/rows", json!(u64::MAX)),
        set("/segments/0/rows", json!(4_000_000_000_u64)),
        set("/segments/0/record_bytes", json!(u64::MAX)),
        set(
            "/segments/0/dead",
            json!({"file": "/etc/passwd", "rows": 1, "hash": ""}),
        ),
        set(
            "/segments/0/dead",
            json!({"file": "s1.dead.1", "rows": 7, "hash": ""}),
        ),
    ];
    for text in wrong {
        fs::write(&path, &text).unwrap();
        let error = open_embedded(dir.path())
            .map(|_| ())
            .expect_err(&text[..text.len().min(300)]);
        assert_eq!(error.code(), "vectors.corrupt");
        assert!(!error.hint().is_empty());
    }
    let index = crate::vectors::EmbeddedIndex::unchecked(dir.path()).unwrap();
    index.upsert(vec![record("x", 0, vec![1.0; 4])]).await.unwrap();
    assert_eq!(
        index.commit(version(2)).await.unwrap_err().code(),
        "vectors.corrupt",
        "nothing to build on"
    );
    index.clear().await.unwrap();
    index.upsert(vec![record("x", 0, vec![1.0; 2])]).await.unwrap();
    index.commit(version(2)).await.unwrap();
    assert_eq!(index.search(&[1.0, 1.0], 5, None).await.unwrap().len(), 1);
    assert_eq!(files(dir.path()).len(), 4, "the old segment is gone");
}

/// What a crash may leave: files of a change that was never committed, and an index.json that was never renamed.
#[tokio::test]
async fn remains_of_a_crash_do_no_harm_and_are_swept() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path(), 3, 4).await);
    for name in [
        "s000000000002.vec",
        "s000000000002.keys",
        "s000000000001.dead.2",
        "s000000000009.rows",
    ] {
        fs::write(dir.path().join(name), b"half a fi").unwrap();
    }
    fs::write(dir.path().join("index.json.new"), b"{\"format\": 1, ").unwrap();
    fs::write(dir.path().join("notes.txt"), b"somebody's").unwrap();
    let index = open_embedded(dir.path()).unwrap();
    assert_eq!(index.state().await.unwrap().count, 6);
    index.upsert(vec![record("x", 0, vec![1.0; 4])]).await.unwrap();
    index.commit(version(2)).await.unwrap();
    index.verify().await.unwrap();
    assert_eq!(index.state().await.unwrap().count, 7);
    let left = files(dir.path());
    assert_eq!(
        left.len(),
        8,
        "index.json, two segments and the file that is not ours: {left:?}"
    );
}
