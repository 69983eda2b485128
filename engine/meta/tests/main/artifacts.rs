//! What tasks published, and the index.

use serde_json::json;
use twinloom_meta::{
    AliasIndexRow, ArtifactKind, ArtifactRow, Change, DatasetIndexRow, Index, IndexKey, IndexTotals,
    ModelIndexRow,
};

use crate::{backends, sample::at};

fn dataset(name: &str, version: u64) -> DatasetIndexRow {
    DatasetIndexRow {
        name: name.into(),
        version,
        hash: format!("{version:064x}"),
        parent: version.checked_sub(1).filter(|parent| *parent > 0),
        rows: 1 << 40,
        bytes: 7,
        changes: Some(json!({"added": 1, "changed": 0, "removed": 0})),
        run: Some("r1".into()),
        task: None,
        created_at: at(version as i64),
    }
}

fn model(version: u64) -> ModelIndexRow {
    ModelIndexRow {
        name: "twin".into(),
        version,
        hash: "ab".into(),
        base: Some("nano@1".into()),
        metrics: json!({"eval_loss": 1.25}),
        run: None,
        task: None,
        created_at: at(0),
    }
}

fn alias(alias: &str, version: u64) -> AliasIndexRow {
    AliasIndexRow {
        kind: ArtifactKind::Model,
        name: "twin".into(),
        alias: alias.into(),
        version,
        previous: None,
        by: "ada".into(),
        reason: "better".into(),
        moved_at: at(1),
    }
}

#[tokio::test]
async fn a_port_has_one_artifact() {
    for backend in backends::all().await {
        let artifact = |port: &str, version: u64, outcome: &str| ArtifactRow {
            run: "r1".into(),
            task: "clean".into(),
            port: port.into(),
            kind: ArtifactKind::Dataset,
            name: "cleaned_documents".into(),
            version,
            hash: "ff".into(),
            outcome: outcome.into(),
            rows: Some(50),
        };
        let changes = vec![
            artifact("b", 1, "new").into(),
            artifact("a", 4, "unchanged").into(),
        ];
        backend.meta.apply(changes, &[]).await.unwrap();
        backend
            .meta
            .apply(vec![artifact("b", 1, "adopted").into()], &[])
            .await
            .unwrap();
        let found = backend.meta.artifacts("r1").await.unwrap();
        assert_eq!(
            found,
            [artifact("a", 4, "unchanged"), artifact("b", 1, "adopted")],
            "{}",
            backend.name
        );
    }
}

#[tokio::test]
async fn the_index_grows_and_only_named_rows_go() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        let changes: Vec<Change> = vec![
            dataset("raw", 2).into(),
            dataset("raw", 10).into(),
            dataset("clean", 1).into(),
            dataset("raw", 1).into(),
            model(1).into(),
            alias("production", 1).into(),
        ];
        meta.apply(changes, &[]).await.unwrap();
        meta.apply(vec![alias("production", 2).into()], &[])
            .await
            .unwrap();
        assert_eq!(
            meta.dataset_index(None).await.unwrap(),
            [
                dataset("clean", 1),
                dataset("raw", 1),
                dataset("raw", 2),
                dataset("raw", 10)
            ],
            "{}",
            backend.name
        );
        assert_eq!(
            meta.alias_index(Some("twin")).await.unwrap(),
            [alias("production", 2)]
        );

        let index = Index {
            datasets: vec![dataset("raw", 2)],
            models: vec![model(1), model(2)],
            aliases: vec![alias("candidate", 2)],
        };
        let version = |kind, name: &str, version| IndexKey::Version {
            kind,
            name: name.into(),
            version,
        };
        let gone = [
            version(ArtifactKind::Dataset, "raw", 1),
            version(ArtifactKind::Dataset, "clean", 1),
            version(ArtifactKind::Model, "raw", 10),
            IndexKey::Label {
                kind: ArtifactKind::Model,
                name: "twin".into(),
                label: "production".into(),
            },
        ];
        meta.update_index(index, &gone).await.unwrap();
        assert_eq!(
            meta.dataset_index(Some("raw")).await.unwrap(),
            [dataset("raw", 2), dataset("raw", 10)],
            "{}",
            backend.name
        );
        assert_eq!(meta.dataset_index(Some("clean")).await.unwrap(), []);
        assert_eq!(
            meta.model_index(Some("twin")).await.unwrap(),
            [model(1), model(2)]
        );
        assert_eq!(
            meta.alias_index(None).await.unwrap(),
            [alias("candidate", 2)],
            "{}",
            backend.name
        );
    }
}

#[tokio::test]
async fn the_index_is_read_in_pages() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        let named = |name: &str, version: u64| ModelIndexRow {
            name: name.into(),
            ..model(version)
        };
        let index = Index {
            datasets: vec![dataset("clean", 1), dataset("raw", 1), dataset("raw", 2)],
            models: vec![
                named("nano", 1),
                named("twin", 1),
                named("twin", 2),
                named("twin", 3),
            ],
            aliases: vec![alias("candidate", 3), alias("production", 2)],
        };
        let newest_bytes = index.datasets[0].bytes + index.datasets[2].bytes;
        meta.update_index(index, &[]).await.unwrap();

        let models = meta.latest_models(None, None, 10).await.unwrap();
        assert_eq!(
            models,
            [(named("nano", 1), 1), (named("twin", 3), 3)],
            "{}",
            backend.name
        );
        assert_eq!(
            meta.latest_models(Some("wi"), None, 10).await.unwrap(),
            [(named("twin", 3), 3)]
        );
        assert_eq!(
            meta.latest_models(None, Some("nano"), 1).await.unwrap(),
            [(named("twin", 3), 3)]
        );
        assert_eq!(
            meta.latest_datasets(None, None, 10).await.unwrap(),
            [(dataset("clean", 1), 1), (dataset("raw", 2), 2)]
        );
        assert_eq!(
            meta.model_versions("twin", None, 2).await.unwrap(),
            [named("twin", 3), named("twin", 2)]
        );
        assert_eq!(
            meta.model_versions("twin", Some(2), 2).await.unwrap(),
            [named("twin", 1)]
        );
        let labels = meta
            .labels_of(ArtifactKind::Model, &["nano", "twin"])
            .await
            .unwrap();
        assert_eq!(labels.len(), 1);
        assert_eq!(labels["twin"], [alias("candidate", 3), alias("production", 2)]);
        assert_eq!(
            meta.labels_of(ArtifactKind::Dataset, &["twin"])
                .await
                .unwrap()
                .len(),
            0
        );
        let totals = IndexTotals {
            datasets: 2,
            dataset_versions: 3,
            latest_bytes: newest_bytes,
            models: 2,
            model_versions: 4,
        };
        assert_eq!(meta.index_totals().await.unwrap(), totals, "{}", backend.name);
    }
}
