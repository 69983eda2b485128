//! Any sequence of snapshots and deltas equals a map.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use twinloom_store::{CommitOutcome, DatasetManifest, FeatureStore};

use crate::common::*;

/// Rows that are always there, so that there are several buckets.
const FILLER: usize = 1500;

#[derive(Debug, Clone)]
enum Step {
    /// The whole dataset anew.
    Snapshot(Rows),
    /// Entities to remove, and the rows of entities that replace what is there.
    Delta {
        removed: BTreeSet<String>,
        written: Rows,
    },
}

fn rows(entities: std::ops::Range<usize>) -> impl Strategy<Value = Rows> {
    let row = (entities, 0_i64..3, 0_u8..4);
    let row =
        row.prop_map(|(entity, chunk, text)| ((format!("doc-{entity}"), chunk), format!("text {text}")));
    proptest::collection::btree_map(
        row.clone().prop_map(|row| row.0),
        row.prop_map(|row| row.1),
        0..12,
    )
}

fn step() -> impl Strategy<Value = Step> {
    let removed = proptest::collection::btree_set((0..20_usize).prop_map(|n| format!("doc-{n}")), 0..6);
    prop_oneof![
        1 => rows(0..20).prop_map(Step::Snapshot),
        3 => (removed, rows(0..20)).prop_map(|(removed, written)| Step::Delta { removed, written }),
    ]
}

fn filler() -> Rows {
    (0..FILLER)
        .map(|n| ((format!("filler-{n}"), 0), "filler".to_owned()))
        .collect()
}

fn entities(rows: &Rows) -> BTreeSet<String> {
    rows.keys().map(|(id, _)| id.clone()).collect()
}

fn of<'a>(rows: &'a Rows, entity: &'a str) -> impl Iterator<Item = (&'a (String, i64), &'a String)> {
    rows.range((entity.to_owned(), i64::MIN)..=(entity.to_owned(), i64::MAX))
}

async fn take(
    store: &FeatureStore,
    head: Option<Arc<DatasetManifest>>,
    step: &Step,
    memory: u64,
    model: &mut Rows,
) -> Arc<DatasetManifest> {
    let before = model.clone();
    let staged = match (step, &head) {
        (Step::Delta { removed, written }, Some(head)) => {
            let mut delta = store
                .delta_writer(spec("d"), Arc::clone(head))
                .with_memory(memory);
            for entity in removed.iter().chain(&entities(written)) {
                delta.remove(entity).await.unwrap();
                model.retain(|(id, _), _| id != entity);
            }
            delta.write(batch_of(written)).await.unwrap();
            model.extend(written.clone());
            delta.finish().await.unwrap()
        }
        (Step::Snapshot(rows) | Step::Delta { written: rows, .. }, _) => {
            *model = filler();
            model.extend(rows.clone());
            stage(
                store.dataset_writer(spec("d")).with_memory(memory),
                [batch_of(model)],
            )
            .await
            .unwrap()
        }
    };
    let committed = store.commit_dataset(staged, commit(None)).await.unwrap();
    let expected = if head.is_some() && *model == before {
        CommitOutcome::Unchanged
    } else {
        CommitOutcome::New
    };
    assert_eq!(committed.outcome, expected);
    if let (Some(head), CommitOutcome::New) = (head, committed.outcome) {
        compare(store, &head, &committed.manifest, &before, model).await;
    }
    committed.manifest
}

/// The difference that the store tells is that of the maps.
async fn compare(
    store: &FeatureStore,
    from: &DatasetManifest,
    to: &DatasetManifest,
    before: &Rows,
    after: &Rows,
) {
    let (old, new) = (entities(before), entities(after));
    let diff = store.diff(from, to).await.unwrap();
    assert_eq!(diff.added, new.difference(&old).cloned().collect::<Vec<_>>());
    assert_eq!(diff.removed, old.difference(&new).cloned().collect::<Vec<_>>());
    let changed = old
        .intersection(&new)
        .filter(|entity| !of(before, entity).eq(of(after, entity)));
    assert_eq!(diff.changed, changed.cloned().collect::<Vec<_>>());
    let changes = to.data.changes.unwrap();
    let told = (
        changes.added as usize,
        changes.changed as usize,
        changes.removed as usize,
    );
    assert_eq!(told, (diff.added.len(), diff.changed.len(), diff.removed.len()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn snapshots_and_deltas_equal_a_map(steps in proptest::collection::vec((step(), prop_oneof![Just(1_u64), Just(1 << 30)]), 1..6)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(async {
            let store = Place::memory().open().await;
            let (mut model, mut head) = (Rows::new(), None);
            for (step, memory) in &steps {
                let manifest = take(&store, head, step, *memory, &mut model).await;
                assert_eq!(rows_of(&store, &manifest).await, model);
                head = Some(manifest);
            }
            // However it came about, a snapshot of the same rows is the same content.
            assert_eq!(publish(&store, "d", &model).await.outcome, CommitOutcome::Unchanged);
        });
    }
}
