//! What an index promises: visibility, replacement, filters, errors, sharing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{Random, filled, record, version};
use crate::vectors::{Filter, VectorError, VectorIndex, open_embedded};

#[tokio::test]
async fn changes_are_seen_once_committed_and_by_other_handles() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader) = (
        open_embedded(dir.path()).unwrap(),
        open_embedded(dir.path()).unwrap(),
    );
    assert_eq!(reader.state().await.unwrap().source, None);
    writer
        .upsert(vec![
            record("a", 0, vec![2.0, 0.0]),
            record("b", 0, vec![0.0, 5.0]),
        ])
        .await
        .unwrap();
    assert!(reader.search(&[1.0, 0.0], 5, None).await.unwrap().is_empty());
    writer.commit(version(1)).await.unwrap();
    let hits = reader.search(&[3.0, 0.1], 5, None).await.unwrap();
    assert_eq!(
        hits.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(),
        ["a#0", "b#0"]
    );
    assert!(
        (hits[0].score - 0.9994).abs() < 1e-3,
        "unit length on both sides: {}",
        hits[0].score
    );
    assert_eq!(hits[0].payload["text"], "a 0");
    let state = reader.state().await.unwrap();
    assert_eq!(
        (state.count, state.dimension, state.source),
        (2, 2, Some(version(1)))
    );
}

#[tokio::test]
async fn a_record_is_replaced_by_id_and_an_entity_goes_as_a_whole() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), 10, 4).await;
    index
        .upsert(vec![record("d3", 0, vec![0.0, 0.0, 0.0, 9.0])])
        .await
        .unwrap();
    index
        .upsert(vec![
            record("new", 0, vec![1.0; 4]),
            record("new", 0, vec![-1.0; 4]),
        ])
        .await
        .unwrap();
    index
        .delete_entities(&["d4".to_owned(), "nobody".to_owned()])
        .await
        .unwrap();
    index.commit(version(2)).await.unwrap();
    assert_eq!(index.state().await.unwrap().count, 20 - 2 + 1);
    let best = index.search(&[0.0, 0.0, 0.0, 1.0], 100, None).await.unwrap();
    assert_eq!(best.len(), 19);
    assert_eq!((best[0].id.as_str(), best[0].score), ("d3#0", 1.0));
    assert!(best.iter().all(|hit| hit.entity != "d4"));
    let new: Vec<_> = best.iter().filter(|hit| hit.id == "new#0").collect();
    assert_eq!(new.len(), 1, "the later one of two in a change counts");
    assert!(new[0].score < 0.0);
}

#[tokio::test]
async fn deleting_reaches_records_of_the_same_change_and_later_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let index = open_embedded(dir.path()).unwrap();
    index
        .upsert(vec![
            record("a", 0, vec![1.0]),
            record("a", 1, vec![1.0]),
            record("b", 0, vec![1.0]),
        ])
        .await
        .unwrap();
    index.delete_entities(&["a".to_owned()]).await.unwrap();
    index.upsert(vec![record("a", 1, vec![-1.0])]).await.unwrap();
    index.commit(version(1)).await.unwrap();
    let hits = index.search(&[1.0], 9, None).await.unwrap();
    assert_eq!(
        hits.iter().map(|hit| hit.id.as_str()).collect::<Vec<_>>(),
        ["b#0", "a#1"]
    );
}

#[tokio::test]
async fn filters_hold_for_every_hit_and_lose_none() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), 20, 8).await;
    let query = Random(3).vector(8);
    let all = index.search(&query, 1000, None).await.unwrap();
    let text = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let filters = [
        Filter {
            category: text(&["post"]),
            ..Filter::default()
        },
        Filter {
            author: text(&["Ada", "Bo"]),
            document: text(&["d1", "d12"]),
            ..Filter::default()
        },
        Filter {
            category: text(&["article"]),
            author: text(&["Bo"]),
            ..Filter::default()
        },
        Filter {
            category: text(&["none"]),
            ..Filter::default()
        },
    ];
    for filter in filters {
        let passes = |list: &[String], value: &str| list.is_empty() || list.iter().any(|item| item == value);
        let want: Vec<_> = all
            .iter()
            .filter(|hit| {
                passes(&filter.category, hit.payload["category"].as_str().unwrap())
                    && passes(&filter.author, hit.payload["author"].as_str().unwrap())
                    && passes(&filter.document, &hit.entity)
            })
            .cloned()
            .collect();
        assert_eq!(
            index.search(&query, 1000, Some(&filter)).await.unwrap(),
            want,
            "{filter:?}"
        );
    }
}

#[tokio::test]
async fn wrong_vectors_are_refused_with_their_code() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), 2, 4).await;
    let code = |result: Result<(), VectorError>| result.unwrap_err().code();
    assert_eq!(
        code(index.upsert(vec![record("x", 0, vec![1.0; 3])]).await),
        "vectors.dimension"
    );
    assert_eq!(
        code(
            index
                .upsert(vec![record("x", 0, vec![1.0, 0.0, f32::NAN, 0.0])])
                .await
        ),
        "vectors.not_finite"
    );
    assert_eq!(
        index.search(&[1.0], 3, None).await.unwrap_err().code(),
        "vectors.dimension"
    );
    assert_eq!(
        index
            .search(&[f32::INFINITY; 4], 3, None)
            .await
            .unwrap_err()
            .code(),
        "vectors.not_finite"
    );
    let other = tempfile::tempdir().unwrap();
    let empty = open_embedded(other.path()).unwrap();
    assert_eq!(
        code(empty.upsert(vec![record("x", 0, vec![])]).await),
        "vectors.too_large"
    );
    assert!(index.search(&[1.0; 4], 0, None).await.unwrap().is_empty());
    index.discard().await.unwrap();
    index.clear().await.unwrap();
    index.upsert(vec![record("x", 0, vec![1.0; 3])]).await.unwrap();
    index.commit(version(2)).await.unwrap();
    assert_eq!(
        index.state().await.unwrap().dimension,
        3,
        "a cleared collection takes another dimension"
    );
}

#[tokio::test]
async fn one_writes_at_a_time_and_what_is_not_committed_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path(), 3, 4).await;
    index.upsert(vec![record("x", 0, vec![1.0; 4])]).await.unwrap();
    let second = open_embedded(dir.path()).unwrap();
    let busy = second.delete_entities(&["d0".to_owned()]).await.unwrap_err();
    assert!(busy.code() == "vectors.busy" && busy.retryable());
    drop(index);
    assert_eq!(second.state().await.unwrap().count, 6);
    second.delete_entities(&["d0".to_owned()]).await.unwrap();
    second.commit(version(2)).await.unwrap();
    assert_eq!(second.state().await.unwrap().count, 4);
    let names: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        names.len(),
        5,
        "index.json, lock and one segment, nothing of the dropped change: {names:?}"
    );
}

/// Readers on other handles always see one whole commit: every commit here holds exactly ten records of one number.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn readers_see_whole_commits_while_one_writes() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open_embedded(dir.path()).unwrap();
    let fill = |n: u64| {
        (0..10)
            .map(move |chunk| record(&format!("run{n}"), chunk, vec![1.0, n as f32]))
            .collect()
    };
    writer.upsert(fill(0)).await.unwrap();
    writer.commit(version(1)).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (path, ended) = (dir.path().to_owned(), Arc::clone(&ended));
            tokio::spawn(async move {
                let mut seen = 0;
                while !ended.load(Ordering::Relaxed) {
                    let index = open_embedded(&path).unwrap();
                    let hits = index.search(&[1.0, 1.0], 100, None).await.unwrap();
                    assert_eq!(hits.len(), 10);
                    assert!(hits.iter().all(|hit| hit.entity == hits[0].entity));
                    seen += 1;
                }
                seen
            })
        })
        .collect();
    for n in 1..60 {
        writer.delete_entities(&[format!("run{}", n - 1)]).await.unwrap();
        writer.upsert(fill(n)).await.unwrap();
        writer.commit(version(n + 1)).await.unwrap();
    }
    ended.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}
