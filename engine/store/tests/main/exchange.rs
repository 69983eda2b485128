//! Out to other tools' formats and in again.

use std::{fs, path::Path, sync::Arc};

use arrow::datatypes::{DataType, Schema};
use twinloom_store::{ExportFormat, FeatureStore, StageDataset, StoreError, schema_from_json};

use crate::common::*;

/// A specification whose columns come from the files.
fn open_spec(keys: &[&str]) -> StageDataset {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    StageDataset {
        schema: Arc::new(Schema::empty()),
        keys,
        ..spec("imported")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_comes_back_the_same() {
    let store = Place::memory().open().await;
    let mut rows = many(1200);
    rows.insert(
        ("odd \"quoted\",\n<b>|".to_owned(), -1),
        "línea\u{1F600}\r\n\t\\".to_owned(),
    );
    let first = publish_new(&store, "d", &rows).await;
    let folder = tempfile::tempdir().unwrap();
    let formats = [
        (ExportFormat::Parquet, "p"),
        (ExportFormat::Jsonl, "j"),
        (ExportFormat::ArrowIpc, "a"),
    ];
    for (format, dir) in formats {
        let dir = folder.path().join(dir);
        let report = store.export_dataset(&first, format, &dir).await.unwrap();
        assert_eq!(report.rows, 1201);
        let staged = store.import_dataset(spec("again"), &dir).await.unwrap();
        assert_eq!(staged.content_hash, first.data.content_hash, "{format:?}");
    }
    let card = fs::read_to_string(folder.path().join("p/README.md")).unwrap();
    assert!(
        card.starts_with("---\nconfigs:\n") && card.contains("num_examples: 1201") && card.contains("# d\n"),
        "{card}"
    );
    let again = store
        .export_dataset(&first, ExportFormat::Parquet, &folder.path().join("p"))
        .await
        .unwrap_err();
    assert_eq!(
        again.code(),
        "store.file",
        "an export does not mix with what is there"
    );
}

async fn import(text: &[u8], file: &str, keys: &[&str]) -> Result<(FeatureStore, Schema, Rows), StoreError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    fs::write(&path, text).unwrap();
    let store = Place::memory().open().await;
    let staged = store.import_dataset(open_spec(keys), &path).await?;
    let manifest = store.commit_dataset(staged, commit(None)).await?.manifest;
    let schema = schema_from_json(&manifest.data.schema)?.as_ref().clone();
    let rows = rows_of(&store, &manifest).await;
    Ok((store, schema, rows))
}

#[tokio::test]
async fn csv_json_and_lines_are_the_same_rows() {
    let expected: Rows = [
        (("7".to_owned(), 1), "a, \"b\"".to_owned()),
        (("8".to_owned(), 2), "c".to_owned()),
    ]
    .into();
    let files: [(&str, &str); 5] = [
        ("x.csv", "\u{feff}id,chunk,text\n7,1,\"a, \"\"b\"\"\"\n8,2,c\n"),
        ("x.tsv", "id\tchunk\ttext\n7\t1\t\"a, \"\"b\"\"\"\n8\t2\tc\n"),
        (
            "x.jsonl",
            "{\"id\":\"7\",\"chunk\":1,\"text\":\"a, \\\"b\\\"\"}\n\n{\"id\":\"8\",\"text\":\"c\",\"chunk\":2}",
        ),
        (
            "x.json",
            "[\n {\"id\": \"7\",\n \"chunk\": 1, \"text\": \"a, \\\"b\\\"\"},\n {\"id\":\"8\",\"chunk\":2,\"text\":\"c\"}\n]\n",
        ),
        (
            "x.json",
            "{\"id\":\"7\",\"chunk\":1,\"text\":\"a, \\\"b\\\"\"} {\"id\":\"8\",\"chunk\":2,\"text\":\"c\"}",
        ),
    ];
    for (file, text) in files {
        let Ok((_, schema, rows)) = import(text.as_bytes(), file, &["id", "chunk"]).await else {
            assert!(text.contains("} {"), "{file}: {text}");
            continue;
        };
        assert_eq!(rows, expected, "{file}");
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(
            names,
            ["id", "chunk", "text"],
            "{file}: the columns keep their order"
        );
        assert_eq!(
            schema.field(0).data_type(),
            &DataType::Utf8,
            "an entity key is text"
        );
    }
}

#[tokio::test]
async fn bad_files_are_named() {
    let long = "x".repeat(100);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("x.jsonl", b"{\"id\":\"a\"}\n{\"id\":".to_vec(), "store.import"),
        ("x.jsonl", b"{\"id\":\"a\"}\nnot json\n".to_vec(), "store.import"),
        ("x.jsonl", b"{\"id\":\"\xff\xfe\"}\n".to_vec(), "store.import"),
        ("x.jsonl", vec![b'['; 200_000], "store.import"),
        ("x.json", b"".to_vec(), "store.import"),
        ("x.csv", b"id,n\na,1\nb\n".to_vec(), "store.import"),
        ("x.csv", b"id,n\n\xff\xfe,1\n".to_vec(), "store.import"),
        ("x.csv", b"n,m\n1,2\n".to_vec(), "store.key_column"),
        ("x.csv", b"id\na\na\n".to_vec(), "store.duplicate_key"),
        ("x.parquet", b"PAR1 not really".to_vec(), "store.import"),
        ("x.arrow", b"ARROW1".to_vec(), "store.import"),
        ("x.docx", long.into_bytes(), "store.import"),
    ];
    for (file, bytes, code) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        let Err(error) = import(&bytes, file, &["id"]).await else {
            panic!("{file}: {shown} was taken")
        };
        assert_eq!(error.code(), code, "{file}: {shown}: {error}");
        assert!(
            code != "store.import" || error.to_string().contains(file),
            "{error}"
        );
    }
    let store = Place::memory().open().await;
    let missing = store
        .import_dataset(open_spec(&["id"]), Path::new("/nowhere/x.csv"))
        .await
        .unwrap_err();
    assert_eq!(missing.code(), "store.file");
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        store
            .import_dataset(open_spec(&[]), folder.path())
            .await
            .unwrap_err()
            .code(),
        "store.import"
    );
    fs::write(folder.path().join("a.csv"), "id\n1\n").unwrap();
    fs::write(folder.path().join("b.jsonl"), "{\"id\":1}\n").unwrap();
    assert_eq!(
        store
            .import_dataset(open_spec(&[]), folder.path())
            .await
            .unwrap_err()
            .code(),
        "store.import"
    );
}
