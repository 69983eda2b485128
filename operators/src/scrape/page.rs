//! Pages: one address or file, one article. The page is kept as it came; `clean` finds its main content.

use std::path::Path;

use encoding_rs::Encoding;
use serde_json::Map;
use twinloom_sdk::OperatorError;

use super::{
    Category, Page,
    document::{Document, html_title, id, markdown_title},
    folder::binary,
    http::{Access, host_of, is_address, without_credentials},
    job::Job,
};
use crate::text::decode::{declared, is_binary};

/// Reads a page.
pub async fn scrape(job: &mut Job<'_>, source: &Page) -> Result<(), OperatorError> {
    let name = without_credentials(&source.url);
    let remote = is_address(&source.url);
    let path = source
        .url
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let (text, format) = if remote {
        if source.robots {
            job.http.ask_robots(&source.url, source.allow_private).await?;
        }
        let access = Access::new(job.context, &source.url, source.allow_private, &source.headers)?;
        let answer = job.http.get(&source.url, &access).await?;
        if !job.fits(&name, answer.bytes.len() as u64)? {
            return Ok(());
        }
        let textual = answer.media.is_empty()
            || answer.media.starts_with("text/")
            || answer.media.contains("xml")
            || answer.media.contains("json");
        if !textual || (answer.charset.is_none() && is_binary(&answer.bytes)) {
            return Err(binary(&name));
        }
        let named = answer
            .charset
            .as_deref()
            .and_then(|label| Encoding::for_label(label.as_bytes()));
        let format = format_of(&answer.media, &path);
        let charset = named.or_else(|| declared_in(format, &answer.bytes));
        (job.text(&name, answer.bytes, charset), format)
    } else {
        let Some(bytes) = job.read(Path::new(&source.url)).await? else {
            return Ok(());
        };
        if is_binary(&bytes) {
            return Err(binary(&name));
        }
        let format = format_of("", &path);
        let charset = declared_in(format, &bytes);
        (job.text(&name, bytes, charset), format)
    };
    let title = if format == "html" {
        html_title(&text)
    } else {
        markdown_title(&text)
    };
    let published_at = if format == "html" { published(&text) } else { None };
    let author = source.author.clone().or_else(|| job.config.author.clone());
    job.push(Document {
        id: id(&["link", &name]),
        category: Category::Article,
        platform: if remote {
            host_of(&source.url).unwrap_or_default()
        } else {
            "file".to_owned()
        },
        author,
        link: Some(name),
        title,
        format,
        text,
        published_at,
        updated_at: None,
        metadata: Map::new(),
    })
    .await
}

/// What a page is, by its media type (none for a file), else by the end of its path, in small letters.
fn format_of(media: &str, path: &str) -> &'static str {
    match media {
        "text/markdown" => "markdown",
        "text/plain" => "text",
        _ if path.ends_with(".md") => "markdown",
        _ if path.ends_with(".txt") => "text",
        _ => "html",
    }
}

/// The charset that a page of HTML declares; one of another format may quote a declaration and means none.
fn declared_in(format: &str, bytes: &[u8]) -> Option<&'static Encoding> {
    if format == "html" { declared(bytes) } else { None }
}

/// When the page says it was published: `<meta property="article:published_time" content="…">`.
fn published(html: &str) -> Option<i64> {
    let at = html.find("article:published_time")?;
    let from = html[..at].rfind('<')?;
    let tag = &html[from..at + html[at..].find('>')?];
    let value = tag.split_once("content=")?.1.trim_start_matches(['"', '\'']);
    let time: jiff::Timestamp = value.split(['"', '\'']).next()?.trim().parse().ok()?;
    Some(time.as_millisecond())
}
