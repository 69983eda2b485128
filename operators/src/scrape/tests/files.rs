use std::{fs, path::Path};

use super::*;

fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
    let file = root.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[tokio::test]
async fn a_folder_is_read_by_what_its_files_are() {
    let home = Home::new().await;
    let root = home.path().join("writing");
    write(&root, "notes/loom.md", "---\ntitle: The loom\n---\nSome words.\n");
    write(
        &root,
        "page.html",
        "<html><head><title> Warp &amp;\n weft </title></head><body><p>Words</p></body></html>",
    );
    write(&root, "plain.txt", b"caf\xE9");
    write(
        &root,
        "old.html",
        b"<html><head><meta charset=\"iso-8859-1\"><title>Caf\xE9</title></head><body><p>\xE0 la carte</p></body></html>",
    );
    write(&root, "wide.txt", b"\xFF\xFEh\0i\0");
    write(&root, "src/lib.rs", "fn main() {}\r\n");
    write(&root, "image.md", b"\x89PNG\0\0\0");
    write(&root, "blank.md", " \n");
    write(&root, ".hidden/secret.md", "no");
    write(&root, "node_modules/x/readme.md", "no");
    write(&root, "data.jsonl", "{\"text\": \"a row\", \"title\": \"Row\"}\n");
    write(home.path(), "outside.md", "no");
    std::os::unix::fs::symlink(home.path().join("outside.md"), root.join("link.md")).unwrap();
    std::os::unix::fs::symlink(home.path(), root.join("loop")).unwrap();

    let (ended, rows) = scrape(
        &home,
        json!({"author": "Ada", "sources": [{"kind": "folder", "path": root}]}),
    )
    .await;
    let categories = rows.by("title", "category");
    let expected = [
        ("Café", "article"),
        ("Row", "article"),
        ("The loom", "article"),
        ("Warp & weft", "article"),
        ("plain.txt", "article"),
        ("src/lib.rs", "code"),
        ("wide.txt", "article"),
    ];
    assert_eq!(
        categories,
        expected
            .map(|(title, category)| (title.to_owned(), category.to_owned()))
            .into()
    );
    let texts = rows.by("title", "text");
    assert_eq!(
        (texts["plain.txt"].as_str(), texts["wide.txt"].as_str()),
        ("café", "hi")
    );
    assert!(texts["Café"].contains("à la carte"), "{}", texts["Café"]);
    assert_eq!(texts["src/lib.rs"], "fn main() {}\r\n", "text is kept as found");
    assert!(
        rows.column("author")
            .iter()
            .all(|author| author.as_deref() == Some("Ada"))
    );
    let figure = |name: &str| ended.metrics[name].as_u64().unwrap();
    assert_eq!(
        (
            figure("documents"),
            figure("skipped_binary"),
            figure("skipped_blank"),
            figure("guessed_charset"),
            figure("invalid_characters")
        ),
        (7, 1, 1, 1, 0)
    );
    assert!(
        home.log().contains("image.md") && home.log().contains("plain.txt"),
        "{}",
        home.log()
    );

    let (again, _) = scrape(
        &home,
        json!({"author": "Ada", "sources": [{"kind": "folder", "path": root}]}),
    )
    .await;
    assert_eq!(
        again.datasets["documents"].version, ended.datasets["documents"].version,
        "equal content is the same version"
    );
}

#[tokio::test]
async fn patterns_choose_files() {
    let home = Home::new().await;
    let root = home.path().join("writing");
    for path in [
        "a.md",
        "docs/b.md",
        "docs/deep/c.md",
        "docs/draft-d.md",
        "docs/e.log",
    ] {
        write(&root, path, path);
    }
    let source = json!({"kind": "folder", "path": root, "include": ["docs/**/*.md", "docs/*.log"], "exclude": ["**/draft-*"], "category": "post"});
    let (_, rows) = scrape(&home, json!({"sources": [source]})).await;
    assert_eq!(
        rows.by("link", "category").into_keys().collect::<Vec<_>>(),
        ["docs/b.md", "docs/deep/c.md", "docs/e.log"]
    );
    let error = fails_on(&home, json!({"kind": "folder", "path": root, "include": ["a["]})).await;
    assert_error(&error, ErrorKind::Config, "scrape.pattern", "a[");
}

#[tokio::test]
async fn json_lines_keep_every_field_and_merge_what_is_there_twice() {
    let home = Home::new().await;
    let lines = [
        json!({"text": "𝗢𝗻𝗲\ntwo", "author": "Bo", "platform": "linkedin", "image": true, "extra": [1]}),
        json!({"text": "𝗢𝗻𝗲\ntwo", "author": "Bo", "platform": "linkedin", "image": false}),
        json!({"text": "body", "link": "https://a.example/1", "title": "T", "subtitle": "S", "language": null, "published_at": "2024-05-09T00:00:00Z"}),
        json!({"text": "body", "link": "https://a.example/1"}),
        json!({"text": "another body", "link": "https://a.example/1"}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n\n")).collect();
    write(home.path(), "x.jsonl", text);
    let path = home.path().join("*.jsonl");
    let (ended, rows) = scrape(
        &home,
        json!({"author": "Ada", "sources": [{"kind": "jsonl", "path": path, "category": "post"}]}),
    )
    .await;
    assert_eq!((rows.count(), ended.metrics["merged"].as_u64()), (3, Some(2)));
    let authors = rows.by("text", "author");
    assert_eq!(
        (authors["𝗢𝗻𝗲\ntwo"].as_str(), authors["body"].as_str()),
        ("Bo", "Ada")
    );
    assert_eq!(rows.by("text", "platform")["body"], "a.example");
    assert_eq!(
        rows.by("text", "metadata")["𝗢𝗻𝗲\ntwo"],
        r#"{"image":true,"extra":[1]}"#
    );
    assert_eq!(rows.by("text", "metadata")["body"], r#"{"subtitle":"S"}"#);
    let at = rows
        .column("text")
        .iter()
        .position(|text| text.as_deref() == Some("body"))
        .unwrap();
    let times = rows
        .0
        .column_by_name("published_at")
        .unwrap()
        .as_primitive::<arrow::datatypes::TimestampMillisecondType>();
    assert_eq!(times.value(at), 1_715_212_800_000);
    assert!(
        rows.column("id")
            .iter()
            .all(|id| id.as_deref().is_some_and(|id| id.len() == 32))
    );
}

#[tokio::test]
async fn bad_files_are_named() {
    let home = Home::new().await;
    let file = |name: &str| home.path().join(name);
    write(home.path(), "bad.jsonl", "{\"text\": \"ok\"}\n{\"text\": \n");
    write(home.path(), "textless.jsonl", "{\"title\": \"x\"}\n");
    write(home.path(), "binary.jsonl", b"\0\0\0\0");
    write(home.path(), "binary.md", b"\x7fELF\0\0");
    write(home.path(), "empty.jsonl", "\n");
    fs::create_dir(file("nothing")).unwrap();
    let jsonl = |name: &str| json!({"kind": "jsonl", "path": file(name), "category": "post"});
    let cases = [
        (
            json!({"kind": "folder", "path": file("missing")}),
            ErrorKind::Config,
            "scrape.file_missing",
            "missing",
        ),
        (
            jsonl("missing.jsonl"),
            ErrorKind::Config,
            "scrape.file_missing",
            "missing.jsonl",
        ),
        (
            jsonl("none-*.jsonl"),
            ErrorKind::Config,
            "scrape.file_missing",
            "none-*.jsonl",
        ),
        (
            jsonl("bad.jsonl"),
            ErrorKind::Data,
            "scrape.jsonl_syntax",
            "bad.jsonl:2",
        ),
        (
            jsonl("textless.jsonl"),
            ErrorKind::Data,
            "scrape.jsonl_text",
            "textless.jsonl:1",
        ),
        (
            jsonl("binary.jsonl"),
            ErrorKind::Data,
            "scrape.binary",
            "binary.jsonl",
        ),
        (
            json!({"kind": "folder", "path": file("binary.md")}),
            ErrorKind::Data,
            "scrape.binary",
            "binary.md",
        ),
        (
            json!({"kind": "page", "url": file("binary.md")}),
            ErrorKind::Data,
            "scrape.binary",
            "binary.md",
        ),
        (
            jsonl("empty.jsonl"),
            ErrorKind::Data,
            "scrape.empty_source",
            "empty.jsonl",
        ),
        (
            json!({"kind": "folder", "path": file("nothing")}),
            ErrorKind::Data,
            "scrape.empty_source",
            "nothing",
        ),
        (
            json!({"kind": "feed", "url": file("bad.jsonl")}),
            ErrorKind::Data,
            "scrape.not_a_feed",
            "bad.jsonl",
        ),
    ];
    for (source, kind, code, names) in cases {
        assert_error(&fails_on(&home, source).await, kind, code, names);
    }
    let error = fails(&home, json!({"sources": []})).await;
    assert_error(&error, ErrorKind::Config, "scrape.no_sources", "sources");
    let (ended, _) = scrape(
        &home,
        json!({"sources": [{"kind": "folder", "path": file("nothing")}], "allow_empty": true}),
    )
    .await;
    assert_eq!(ended.metrics["documents"], 0);
}

#[tokio::test]
async fn a_document_too_large_is_an_error_or_left_out() {
    let home = Home::new().await;
    // A gigabyte that takes no room on disk.
    let file = fs::File::create(home.path().join("huge.md")).unwrap();
    file.set_len(1 << 30).unwrap();
    write(home.path(), "docs/small.md", "small");
    fs::rename(home.path().join("huge.md"), home.path().join("docs/huge.md")).unwrap();
    let line = format!(
        "{{\"text\": \"{}\"}}\n{{\"text\": \"short\"}}\n",
        "a".repeat(9_000)
    );
    write(home.path(), "long.jsonl", line);
    let folder = json!({"kind": "folder", "path": home.path().join("docs")});
    let rows = json!({"kind": "jsonl", "path": home.path().join("long.jsonl"), "category": "post"});
    assert_error(
        &fails_on(&home, folder.clone()).await,
        ErrorKind::Data,
        "scrape.document_too_large",
        "huge.md",
    );
    let error = fails(
        &home,
        json!({"sources": [rows.clone()], "limits": {"document_bytes": 2000}}),
    )
    .await;
    assert_error(
        &error,
        ErrorKind::Data,
        "scrape.document_too_large",
        "long.jsonl:1",
    );
    let config = json!({"sources": [folder, rows], "limits": {"document_bytes": 2000, "oversize": "skip"}});
    let (ended, rows) = scrape(&home, config).await;
    assert_eq!(
        (rows.count(), ended.metrics["skipped_oversize"].as_u64()),
        (2, Some(2))
    );
}

#[tokio::test]
async fn a_feed_file_is_read_entry_by_entry() {
    let home = Home::new().await;
    write(home.path(), "feed.xml", include_str!("../fixtures/feed.xml"));
    let (_, rows) = scrape(
        &home,
        json!({"sources": [{"kind": "feed", "url": home.path().join("feed.xml")}]}),
    )
    .await;
    let formats = rows.by("title", "format");
    assert_eq!(
        formats,
        [("Dyes", "html"), ("Threads", "html")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into()
    );
    assert_eq!(
        rows.by("title", "link")["Threads"],
        "https://looms.example/threads"
    );
    assert_eq!(rows.by("title", "platform")["Threads"], "looms.example");
    assert_eq!(rows.by("title", "author")["Dyes"], "Ada Vale");
    assert!(rows.by("title", "text")["Threads"].contains("<pre>a\n  b</pre>"));
}

/// A feed of these entries, by number.
fn feed(entries: &[(u32, &str)]) -> String {
    let entry = |(number, text): &(u32, &str)| {
        format!(
            "<entry><title>Entry {number}</title><id>urn:e{number}</id><link href=\"https://looms.example/{number}\"/>\
             <updated>2024-06-0{number}T08:00:00Z</updated><content type=\"text\">{text}</content></entry>"
        )
    };
    let entries: String = entries.iter().map(entry).collect();
    format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Notes</title><id>urn:notes</id>\
         <updated>2024-06-01T08:00:00Z</updated>{entries}</feed>"
    )
}

#[tokio::test]
async fn what_rolls_off_a_feed_stays_in_the_dataset() {
    let home = Home::new().await;
    let path = home.path().join("feed.xml");
    write(home.path(), "other.md", "# Other\n\nNot of the feed.");
    let source = json!({"kind": "feed", "url": path});
    let folder = json!({"kind": "folder", "path": home.path().join("other.md")});
    let both = json!({"sources": [source.clone(), folder]});
    write(home.path(), "feed.xml", feed(&[(1, "one"), (2, "two")]));
    let (first, _) = scrape(&home, both.clone()).await;
    assert_eq!(first.metrics["kept"], 0);

    // Entry 1 rolls off, entry 2 is edited, entry 3 is new.
    write(home.path(), "feed.xml", feed(&[(2, "two, edited"), (3, "three")]));
    let (second, rows) = scrape(&home, both).await;
    let texts = rows.by("title", "text");
    assert_eq!(
        (
            second.metrics["kept"].as_u64(),
            rows.count(),
            texts["Entry 1"].as_str()
        ),
        (Some(1), 4, "one")
    );
    assert_eq!(
        texts["Entry 2"], "two, edited",
        "an edit replaces, it does not add"
    );

    // What is kept is kept again, and what another source gave goes with its source.
    write(home.path(), "feed.xml", feed(&[(4, "four")]));
    let (third, rows) = scrape(&home, json!({"sources": [source.clone()]})).await;
    let titles: Vec<_> = rows.by("title", "id").into_keys().collect();
    assert_eq!(titles, ["Entry 1", "Entry 2", "Entry 3", "Entry 4"]);
    assert_eq!(third.metrics["kept"], 3);

    let mut forgetful = source;
    forgetful["keep"] = json!(false);
    let (_, rows) = scrape(&home, json!({"sources": [forgetful]})).await;
    assert_eq!(
        rows.by("title", "id").into_keys().collect::<Vec<_>>(),
        ["Entry 4"]
    );
}

#[tokio::test]
async fn files_of_unknown_kinds_are_counted_and_told_of_once() {
    let home = Home::new().await;
    let root = home.path().join("writing");
    for path in [
        "a.md",
        "letters/b.docx",
        "letters/c.DOCX",
        "d.pdf",
        "e.png",
        "NOTES",
        "LICENSE",
    ] {
        write(&root, path, path);
    }
    let source = json!({"kind": "folder", "path": root});
    let (ended, rows) = scrape(&home, json!({"sources": [source]})).await;
    assert_eq!(
        (rows.count(), ended.metrics["skipped_unknown"].as_u64()),
        (1, Some(6))
    );
    assert_eq!(ended.metrics["unknown_kinds"][".docx"], 2);
    assert_eq!(ended.metrics["unknown_kinds"]["LICENSE"], 1);
    let log = home.log();
    assert!(
        log.contains("4 files are left out") && log.contains("2 .docx, 1 .pdf, 1 no extension"),
        "{log}"
    );
    assert!(
        !log.contains(".png") && !log.contains("LICENSE"),
        "neither holds words of the author: {log}"
    );
    let all = json!({"kind": "folder", "path": home.path().join("writing"), "include": ["**/*"], "exclude": ["**/*.png"]});
    let (ended, rows) = scrape(&home, json!({"sources": [all]})).await;
    assert_eq!(
        (rows.count(), ended.metrics["skipped_unknown"].as_u64()),
        (6, Some(0))
    );
}
