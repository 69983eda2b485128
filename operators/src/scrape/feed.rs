//! Feeds: RSS, Atom and JSON Feed, an entry a document.

use std::{collections::HashSet, path::Path};

use feed_rs::{model::Entry, parser};
use serde_json::{Map, Value};
use twinloom_sdk::OperatorError;

use super::{
    Feed,
    document::{Document, id},
    http::{Access, host_of, is_address, without_credentials},
    job::Job,
    keep::Keep,
};

/// Reads a feed from an address or a file.
pub async fn scrape(job: &mut Job<'_>, source: &Feed) -> Result<(), OperatorError> {
    let name = without_credentials(&source.url);
    let bytes = if is_address(&source.url) {
        let access = Access::new(job.context, &source.url, source.allow_private, &source.headers)?;
        job.http.get(&source.url, &access).await?.bytes
    } else {
        match job.read(Path::new(&source.url)).await? {
            Some(bytes) => bytes,
            None => return Ok(()),
        }
    };
    let base = is_address(&source.url).then(|| source.url.clone());
    let parsed = tokio::task::spawn_blocking(move || {
        parser::Builder::new()
            .base_uri(base)
            .build()
            .parse(bytes.as_slice())
    })
    .await?;
    let feed = parsed.map_err(|error| {
        OperatorError::data(
            "scrape.not_a_feed",
            format!("`{name}` is not a feed: {error}"),
            "Give the address of an RSS, Atom or JSON feed; for an ordinary page use `kind: page`.",
        )
    })?;
    let site = feed.authors.first().and_then(|author| author.name.clone());
    let fallback = source
        .author
        .clone()
        .or(site)
        .or_else(|| job.config.author.clone());
    let mut shown = HashSet::new();
    for entry in feed.entries {
        job.context.check_cancelled()?;
        let Some(document) = document(entry, source, &name, fallback.as_deref()) else {
            job.counts.blank += 1;
            continue;
        };
        shown.insert(document.id.clone());
        if job.fits(
            document.link.as_deref().unwrap_or(&document.id),
            document.text.len() as u64,
        )? {
            job.push(document).await?;
        }
    }
    if source.keep {
        job.keep.push(Keep::Feed {
            feed: name,
            category: source.category,
            shown,
        });
    }
    Ok(())
}

fn document(entry: Entry, source: &Feed, name: &str, author: Option<&str>) -> Option<Document> {
    let body = entry
        .content
        .and_then(|content| content.body.map(|body| (body, content.content_type.to_string())));
    let summary = entry
        .summary
        .map(|summary| (summary.content, summary.content_type.to_string()));
    let (text, media) = body.filter(|(body, _)| !body.trim().is_empty()).or(summary)?;
    let page = entry
        .links
        .iter()
        .find(|link| link.rel.as_deref().is_none_or(|rel| rel == "alternate"));
    let link = page
        .or(entry.links.first())
        .map(|link| link.href.clone())
        .filter(|link| is_address(link));
    let identity = link.clone().unwrap_or_else(|| entry.id.clone());
    // RSS has no type for its text, and it is HTML more often than not.
    let html = media.contains("html") || media.contains("xml") || (text.contains("</") && text.contains('<'));
    let title = entry
        .title
        .map(|title| title.content.trim().to_owned())
        .filter(|title| !title.is_empty());
    let mut metadata = Map::new();
    metadata.insert("feed".to_owned(), Value::from(name));
    let tags: Vec<Value> = entry
        .categories
        .into_iter()
        .map(|tag| Value::from(tag.term))
        .collect();
    if !tags.is_empty() {
        metadata.insert("tags".to_owned(), Value::Array(tags));
    }
    Some(Document {
        id: id(&["link", &identity]),
        category: source.category,
        platform: link
            .as_deref()
            .and_then(host_of)
            .or_else(|| host_of(&source.url))
            .unwrap_or_else(|| "file".to_owned()),
        author: entry
            .authors
            .into_iter()
            .filter_map(|author| author.name)
            .find(|name| !name.trim().is_empty())
            .or(author.map(str::to_owned)),
        link,
        title,
        format: if html { "html" } else { "text" },
        text,
        published_at: entry.published.map(|time| time.timestamp_millis()),
        updated_at: entry.updated.map(|time| time.timestamp_millis()),
        metadata,
    })
}
