//! JSON lines: a document a line, with author, platform, link, title, subtitle, language, text and image.

use std::{
    io::BufReader,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};
use twinloom_sdk::OperatorError;

use super::{
    Category, Jsonl,
    document::{Document, id},
    http::host_of,
    job::{Job, unreadable},
};
use crate::text::decode::is_binary;

/// How much longer a line may be than the text in it, for escapes and other fields.
const LINE_FACTOR: u64 = 4;

/// Reads the files that a path or pattern names, in the order of names.
pub async fn scrape(job: &mut Job<'_>, source: &Jsonl) -> Result<(), OperatorError> {
    let author = source.author.as_deref().or(job.config.author.as_deref());
    for path in paths(&source.path)? {
        file(job, &path, source.category, author).await?;
    }
    Ok(())
}

fn paths(path: &str) -> Result<Vec<PathBuf>, OperatorError> {
    if !path.contains(['*', '?', '[']) || Path::new(path).exists() {
        return Ok(vec![PathBuf::from(path)]);
    }
    let wrong = |error: &dyn std::fmt::Display| {
        OperatorError::config(
            "scrape.pattern",
            format!("`{path}` is no pattern of paths: {error}"),
            "Use `*` and `**/`.",
        )
    };
    let mut found = Vec::new();
    for entry in glob::glob(path).map_err(|error| wrong(&error))? {
        found.push(entry.map_err(|error| wrong(&error))?);
    }
    if found.is_empty() {
        return Err(OperatorError::config(
            "scrape.file_missing",
            format!("no file matches `{path}`"),
            "Check the pattern; relative ones start at the folder that twinloom runs in.",
        ));
    }
    Ok(found)
}

/// Reads one file.
pub async fn file(
    job: &mut Job<'_>,
    path: &Path,
    category: Category,
    author: Option<&str>,
) -> Result<(), OperatorError> {
    let name = path.display().to_string();
    let opened = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = BufReader::with_capacity(256 * 1024, opened);
    let limit = job.limits().document_bytes.saturating_mul(LINE_FACTOR);
    let (mut number, mut line) = (0_u64, Vec::new());
    loop {
        line.clear();
        number += 1;
        let (read, whole) =
            read_line(&mut reader, &mut line, limit).map_err(|error| unreadable(path, &error))?;
        if read == 0 {
            return Ok(());
        }
        let place = format!("{name}:{number}");
        if !whole && !job.fits(&place, read)? {
            continue;
        }
        if number == 1 && is_binary(&line) {
            return Err(super::folder::binary(&name));
        }
        let text = job.text(&place, std::mem::take(&mut line), None);
        if text.trim().is_empty() {
            continue;
        }
        let row: Map<String, Value> =
            serde_json::from_str(&text).map_err(|error| bad_line(&place, &error))?;
        if let Some(document) = document(job, &place, row, category, author)? {
            job.push(document).await?;
        }
    }
}

/// Reads to the next newline; of a longer line than `limit` only its length is kept.
fn read_line(
    reader: &mut impl std::io::BufRead,
    line: &mut Vec<u8>,
    limit: u64,
) -> std::io::Result<(u64, bool)> {
    let mut read = 0;
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok((read, read <= limit));
        }
        let newline = memchr::memchr(b'\n', buffer);
        let length = newline.map_or(buffer.len(), |at| at + 1);
        read += length as u64;
        if read <= limit {
            line.extend_from_slice(&buffer[..length]);
        } else {
            line.clear();
        }
        reader.consume(length);
        if newline.is_some() {
            return Ok((read, read <= limit));
        }
    }
}

fn document(
    job: &mut Job<'_>,
    place: &str,
    mut row: Map<String, Value>,
    category: Category,
    author: Option<&str>,
) -> Result<Option<Document>, OperatorError> {
    let Some(text) = take(&mut row, "text") else {
        return Err(OperatorError::data(
            "scrape.jsonl_text",
            format!("{place}: the row has no `text`"),
            "Give each row a string `text`; author, platform, link and title are optional.",
        ));
    };
    if !job.fits(place, text.len() as u64)? {
        return Ok(None);
    }
    let link = take(&mut row, "link").or_else(|| take(&mut row, "url"));
    let format = match (take(&mut row, "format").as_deref(), category) {
        (Some("html"), _) => "html",
        (Some("markdown"), _) => "markdown",
        (Some("text"), _) => "text",
        (_, Category::Code) => "code",
        (_, Category::Post) => "text",
        (_, Category::Article) if is_html(&text) => "html",
        (_, Category::Article) => "markdown",
    };
    let id = match &link {
        Some(link) => id(&["link", link]),
        None => id(&["text", &text]),
    };
    let platform = take(&mut row, "platform")
        .or_else(|| link.as_deref().and_then(host_of))
        .unwrap_or_else(|| "file".to_owned());
    let title = take(&mut row, "title");
    let (published_at, updated_at) = (time(&mut row, "published_at"), time(&mut row, "updated_at"));
    let author = take(&mut row, "author").or_else(|| author.map(str::to_owned));
    row.retain(|_, value| !value.is_null());
    Ok(Some(Document {
        id,
        category,
        platform,
        author,
        link,
        title,
        format,
        text,
        published_at,
        updated_at,
        metadata: row,
    }))
}

/// Takes a text that is not empty out of a row; values of other types stay, as metadata.
fn take(row: &mut Map<String, Value>, name: &str) -> Option<String> {
    match row.get(name) {
        Some(Value::String(_)) => match row.shift_remove(name) {
            Some(Value::String(text)) if name == "text" || !text.trim().is_empty() => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn time(row: &mut Map<String, Value>, name: &str) -> Option<i64> {
    let time: jiff::Timestamp = row.get(name)?.as_str()?.parse().ok()?;
    row.shift_remove(name);
    Some(time.as_millisecond())
}

fn is_html(text: &str) -> bool {
    let start = text.trim_start();
    let start: String = start.chars().take(15).collect::<String>().to_ascii_lowercase();
    [
        "<!doctype html",
        "<html",
        "<body",
        "<article",
        "<div",
        "<p>",
        "<h1",
    ]
    .iter()
    .any(|tag| start.starts_with(tag))
}

fn bad_line(place: &str, error: &serde_json::Error) -> OperatorError {
    OperatorError::data(
        "scrape.jsonl_syntax",
        format!("{place}: not a JSON object: {error}"),
        "Write one JSON object a line.",
    )
}
