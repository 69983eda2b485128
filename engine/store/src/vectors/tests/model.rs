//! Any sequence of changes gives what a plain map gives, whatever segments and merges it goes through.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Random, record, version};
use crate::vectors::{VectorIndex, VectorRecord, open_embedded};

#[derive(Debug, Clone)]
enum Step {
    Upsert { entity: u8, chunks: u8 },
    Delete { entities: Vec<u8> },
    Clear,
    Commit,
    Discard,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_u8, 1..5_u8).prop_map(|(entity, chunks)| Step::Upsert { entity, chunks }),
        3 => proptest::collection::vec(0..12_u8, 1..4).prop_map(|entities| Step::Delete { entities }),
        1 => Just(Step::Clear),
        8 => Just(Step::Commit),
        1 => Just(Step::Discard),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn changes_are_those_of_a_map(steps in proptest::collection::vec(step(), 1..60), seed in 1..u64::MAX) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps, seed));
    }
}

async fn run(steps: Vec<Step>, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(seed);
    let mut index = open_embedded(dir.path()).unwrap();
    let mut committed: BTreeMap<String, VectorRecord> = BTreeMap::new();
    let mut pending = committed.clone();
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Upsert { entity, chunks } => {
                let name = format!("d{entity}");
                let records: Vec<_> = (0..chunks)
                    .map(|n| record(&name, n.into(), random.vector(5)))
                    .collect();
                pending.extend(records.iter().map(|record| (record.id.clone(), record.clone())));
                index.upsert(records).await.unwrap();
            }
            Step::Delete { entities } => {
                let names: Vec<String> = entities.iter().map(|entity| format!("d{entity}")).collect();
                pending.retain(|_, record| !names.contains(&record.entity));
                index.delete_entities(&names).await.unwrap();
            }
            Step::Clear => {
                pending.clear();
                index.clear().await.unwrap();
            }
            Step::Commit => {
                index.commit(version(number as u64 + 1)).await.unwrap();
                committed = pending.clone();
            }
            Step::Discard => {
                index.discard().await.unwrap();
                pending = committed.clone();
            }
            Step::Reopen => {
                drop(index);
                index = open_embedded(dir.path()).unwrap();
                pending = committed.clone();
            }
        }
        check(&index, &committed, &random.vector(5)).await;
    }
    index.verify().await.unwrap();
}

async fn check(index: &crate::vectors::EmbeddedIndex, want: &BTreeMap<String, VectorRecord>, query: &[f32]) {
    assert_eq!(index.state().await.unwrap().count, want.len() as u64);
    let hits = index.search(query, 7, None).await.unwrap();
    let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    let cosine = |v: &[f32]| v.iter().zip(query).map(|(a, b)| a * b).sum::<f32>() / (norm(v) * norm(query));
    let mut scores: Vec<f32> = want.values().map(|record| cosine(&record.vector)).collect();
    scores.sort_by(|a, b| b.total_cmp(a));
    scores.truncate(7);
    assert_eq!(hits.len(), scores.len());
    for (hit, score) in hits.iter().zip(scores) {
        assert!((hit.score - score).abs() < 1e-5, "{} and {score}", hit.score);
        assert_eq!(want[&hit.id].payload, hit.payload);
    }
}
