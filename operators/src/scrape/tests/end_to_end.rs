//! Scrape, clean and chunk in a row, on real writing where it is at hand.

use std::{io::Write as _, path::PathBuf};

use arrow::datatypes::Int64Type;
use twinloom_sdk::OutputTarget;
use twinloom_store::{ArtifactKind, DatasetManifest, Name};

use super::*;

fn shared_data() -> Option<PathBuf> {
    let given = std::env::var_os("TWINLOOM_SHARED").map(PathBuf::from);
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let near: Vec<_> = here.ancestors().map(|folder| folder.join("shared")).collect();
    given
        .into_iter()
        .chain(near)
        .map(|shared| shared.join("data"))
        .find(|data| data.join("articles.jsonl").is_file())
}

/// Runs a row operator on a dataset and commits its output under its own name.
async fn step(
    home: &Home,
    operator: &str,
    input: &DatasetManifest,
    port: &str,
    config: Value,
) -> (Ended, RecordBatch) {
    let mut task = home.task(operator, config).dataset("documents", input);
    let name = Name::new(format!("test.{operator}")).unwrap();
    task.outputs.insert(
        port.to_owned(),
        OutputTarget {
            kind: ArtifactKind::Dataset,
            name,
        },
    );
    let ended = home.done(task).await;
    let rows = home.rows(&ended.datasets[port]).await;
    (ended, rows)
}

async fn clean(home: &Home, scraped: &Ended) -> (Ended, RecordBatch) {
    step(
        home,
        "clean",
        &scraped.datasets["documents"],
        "documents",
        json!({}),
    )
    .await
}

async fn chunk(home: &Home, cleaned: &Ended) -> (Ended, RecordBatch) {
    step(home, "chunk", &cleaned.datasets["documents"], "chunks", json!({})).await
}

/// Every chunk is the stretch of its document that it says, and the stretches are the whole document.
fn assert_whole(documents: &RecordBatch, chunks: &RecordBatch) {
    let text = |rows: &RecordBatch, name: &str| {
        let column = rows.column_by_name(name).unwrap().as_string::<i32>().clone();
        (0..column.len())
            .map(|row| column.value(row).to_owned())
            .collect::<Vec<_>>()
    };
    let number = |name: &str| {
        chunks
            .column_by_name(name)
            .unwrap()
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    };
    let (ids, texts, starts, ends) = (
        text(chunks, "document_id"),
        text(chunks, "text"),
        number("start"),
        number("end"),
    );
    let mut parts: BTreeMap<String, Vec<(i64, i64, String)>> = BTreeMap::new();
    for row in 0..chunks.num_rows() {
        parts
            .entry(ids[row].clone())
            .or_default()
            .push((starts[row], ends[row], texts[row].clone()));
    }
    for (id, document) in text(documents, "id").into_iter().zip(text(documents, "text")) {
        let mut parts = parts.remove(&id).expect("each document has chunks");
        parts.sort();
        let mut at = 0;
        for (start, end, _) in &parts {
            assert_eq!(*start, at);
            at = *end;
        }
        assert_eq!(
            parts.into_iter().map(|(_, _, text)| text).collect::<String>(),
            document
        );
    }
    assert!(parts.is_empty(), "no chunk without a document");
}

#[tokio::test]
async fn a_change_to_one_document_reaches_its_chunks_and_no_others() {
    let home = Home::new().await;
    let root = home.path().join("writing");
    std::fs::create_dir(&root).unwrap();
    for number in 0..20 {
        std::fs::write(
            root.join(format!("{number}.md")),
            format!("# Note {number}\n\n{}", "Some words of it. ".repeat(200)),
        )
        .unwrap();
    }
    let config = json!({"sources": [{"kind": "folder", "path": root}]});
    let (scraped, _) = scrape(&home, config.clone()).await;
    let (cleaned, _) = clean(&home, &scraped).await;
    let (chunked, first) = chunk(&home, &cleaned).await;
    assert_eq!(chunked.metrics["mode"], "full");

    std::fs::write(root.join("3.md"), "# Note 3\n\nShort now.").unwrap();
    std::fs::remove_file(root.join("4.md")).unwrap();
    let (scraped, _) = scrape(&home, config).await;
    let (cleaned, documents) = clean(&home, &scraped).await;
    let (chunked, second) = chunk(&home, &cleaned).await;
    assert_eq!(
        (&cleaned.metrics["mode"], &chunked.metrics["mode"]),
        (&json!("incremental"), &json!("incremental"))
    );
    assert_eq!(
        (
            &chunked.metrics["entities_changed"],
            &chunked.metrics["entities_removed"]
        ),
        (&json!(1), &json!(1))
    );
    assert_whole(&documents, &second);
    assert!(second.num_rows() < first.num_rows());
}

#[tokio::test]
async fn documents_that_are_nothing_but_chrome_are_dropped_and_said() {
    let home = Home::new().await;
    std::fs::write(
        home.path().join("x.jsonl"),
        "{\"text\": \"Subscribe\\n\\nSign in\", \"link\": \"https://a.example/x\"}\n{\"text\": \"Words.\"}\n",
    )
    .unwrap();
    let (scraped, _) = scrape(
        &home,
        json!({"sources": [{"kind": "jsonl", "path": home.path().join("x.jsonl"), "category": "article"}]}),
    )
    .await;
    let (_, cleaned) = clean(&home, &scraped).await;
    assert_eq!(cleaned.num_rows(), 1);
    assert!(home.log().contains("https://a.example/x"), "{}", home.log());
}

#[tokio::test]
async fn real_writing_goes_through_whole() {
    let Some(data) = shared_data() else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: there is no ../shared/data with real writing (TWINLOOM_SHARED names another folder)"
        );
        return;
    };
    let home = Home::new().await;
    let source =
        |file: &str, category: &str| json!({"kind": "jsonl", "path": data.join(file), "category": category});
    let (scraped, raw) = scrape(
        &home,
        json!({"sources": [source("articles.jsonl", "article"), source("posts.jsonl", "post")]}),
    )
    .await;
    let count = |file: &str| std::fs::read_to_string(data.join(file)).unwrap().lines().count();
    let merged = scraped.metrics["merged"].as_u64().unwrap();
    assert_eq!(
        raw.count() as u64 + merged,
        (count("articles.jsonl") + count("posts.jsonl")) as u64,
        "nothing is lost"
    );
    let (ended, cleaned) = clean(&home, &scraped).await;
    assert_eq!(cleaned.num_rows(), raw.count(), "no document is dropped");
    let (_, chunks) = step(&home, "chunk", &ended.datasets["documents"], "chunks", json!({})).await;
    assert_whole(&cleaned, &chunks);

    let cleaned = Rows(cleaned);
    let texts = cleaned.by("id", "text");
    for (id, text) in &texts {
        for line in text.lines() {
            // Code is verbatim, whatever its letters.
            assert!(
                line.starts_with("    ") || !crate::text::styled::is_styled(line),
                "styled letters in {id}"
            );
            let line = line.trim();
            let chrome = [
                "Subscribe",
                "Sign in",
                "Sign up",
                "SubscribeSign in",
                "Share this post",
                "Copy link",
                "PreviousNext",
                "Open in app",
                "Get the app",
            ];
            assert!(!chrome.contains(&line), "{line:?} in {id}");
        }
        for words in [
            "Open in appSign up",
            "ListenShare",
            "Start WritingGet the app",
            "we log user data",
            "requires JavaScript to run",
            "Subscribe",
            "Sign in",
            "reader-supported",
        ] {
            assert!(!text.contains(words), "{words:?} in {id}");
        }
    }
    // Each paragraph of the author's is there: all between the last share menu of the head and the first of the foot.
    for (id, text) in raw.by("id", "text") {
        let plain = crate::text::styled::plain(&text).into_owned();
        let cleaned = crate::text::styled::plain(&texts[&id]);
        let Some((_, after)) = plain.split_once("\nShare\n\n") else {
            continue;
        };
        let body = after.split("\nShare this post\n").next().unwrap();
        for paragraph in body
            .split("\n\n")
            .map(str::trim)
            .filter(|paragraph| !paragraph.is_empty())
        {
            let menu = paragraph == "Subscribe"
                || paragraph.contains("reader-supported")
                || paragraph.chars().all(|letter| letter.is_ascii_digit());
            assert!(menu || cleaned.contains(paragraph), "{paragraph:?} of {id}");
        }
    }
}
