//! What a source no longer shows and was read before: entries that rolled off a feed, commits further back than is read.
//! They stay in the dataset, taken over from the last version of it.

use std::collections::HashSet;

use arrow::array::{Array, RecordBatch};
use futures::TryStreamExt;
use serde_json::{Map, Value};
use twinloom_sdk::{OperatorError, records};
use twinloom_store::{FeatureStore, ReadOptions, Reference, Selector};

use super::{
    Category,
    document::{Document, id},
    job::Job,
};
use crate::text::columns::{texts, times, value};

/// The key of a commit's metadata that holds when it was committed, in milliseconds since 1970 UTC.
pub const COMMITTED: &str = "committed";

/// Rows read at a time.
const BATCH: usize = 256;

/// What is kept of a source.
#[derive(Debug, Clone)]
pub enum Keep {
    /// Entries that the feed no longer has.
    Feed {
        /// Its address, as rows hold it.
        feed: String,
        /// What its entries are now.
        category: Category,
        /// Ids of the entries that it has, before any was set beside another.
        shown: HashSet<String>,
    },
    /// Commits that lie before those that were read.
    Commits {
        /// The repository, as rows hold it.
        repository: String,
        /// When the last of them was committed, in milliseconds since 1970 UTC.
        end: i64,
    },
}

impl Keep {
    /// What a row's document becomes, where this keeps it.
    fn takes(&self, metadata: &Map<String, Value>, link: Option<&str>, at: Option<i64>) -> Option<Category> {
        let is = |key: &str, wanted: &str| metadata.get(key).and_then(Value::as_str) == Some(wanted);
        match self {
            Self::Feed {
                feed,
                category,
                shown,
            } => {
                let gone = link.is_none_or(|link| !shown.contains(&id(&["link", link])));
                (is("feed", feed) && gone).then_some(*category)
            }
            Self::Commits { repository, end } => {
                // Rows of earlier versions have the author's date alone.
                let committed = metadata.get(COMMITTED).and_then(Value::as_i64).or(at);
                // Of the same second too: a rebase makes several, and the end may lie among them. What was read again
                // is there already and not taken twice.
                let older = committed.is_some_and(|committed| committed <= *end);
                let commit = metadata.contains_key("commit") && is("repository", repository);
                (commit && older).then_some(Category::Post)
            }
        }
    }
}

/// Takes over what the sources no longer show, after all of them were read; gives the number of documents.
///
/// # Errors
/// What the store says.
pub async fn carry_over(job: &mut Job<'_>) -> Result<u64, OperatorError> {
    let keeps = std::mem::take(&mut job.keep);
    let Some(name) = job.context.output_name("documents").filter(|_| !keeps.is_empty()) else {
        return Ok(0);
    };
    let store = job.context.store().clone();
    if store.dataset_versions(name).await?.is_empty() {
        return Ok(0);
    }
    let reference = Reference {
        name: name.clone(),
        selector: Selector::Latest,
    };
    let last = store.dataset(&reference).await?;
    // Somebody else's dataset of that name holds nothing of ours.
    if last.data.producer.operator != "scrape" || FeatureStore::schema_of(&last)? != records::raw_documents()
    {
        return Ok(0);
    }
    let options = ReadOptions {
        batch_size: Some(BATCH),
        ..ReadOptions::default()
    };
    let mut batches = store.read(&last, options);
    let mut kept = 0;
    while let Some(rows) = batches.try_next().await? {
        job.context.check_cancelled()?;
        for document in documents(&keeps, &rows)? {
            if !job.sink.has(&document.id) {
                kept += 1;
                job.push(document).await?;
            }
        }
    }
    if kept > 0 {
        job.context.info(format!(
            "{kept} documents that their sources no longer show are kept from {}",
            last.id()
        ));
    }
    Ok(kept)
}

/// The documents of a batch that one of the sources keeps.
fn documents(keeps: &[Keep], rows: &RecordBatch) -> Result<Vec<Document>, OperatorError> {
    let column = |name: &str| texts(rows, name);
    let (ids, platforms, authors) = (column("id")?, column("platform")?, column("author")?);
    let (links, titles, formats) = (column("link")?, column("title")?, column("format")?);
    let (bodies, about) = (column("text")?, column("metadata")?);
    let (published, updated) = (times(rows, "published_at")?, times(rows, "updated_at")?);
    let mut found = Vec::new();
    for row in 0..rows.num_rows() {
        let Some(Ok(Value::Object(metadata))) = value(about, row).map(serde_json::from_str) else {
            continue;
        };
        let at = published.is_valid(row).then(|| published.value(row));
        let link = value(links, row);
        let Some(category) = keeps.iter().find_map(|keep| keep.takes(&metadata, link, at)) else {
            continue;
        };
        found.push(Document {
            id: ids.value(row).to_owned(),
            category,
            platform: platforms.value(row).to_owned(),
            author: value(authors, row).map(str::to_owned),
            link: link.map(str::to_owned),
            title: value(titles, row).map(str::to_owned),
            format: match formats.value(row) {
                "html" => "html",
                "markdown" => "markdown",
                "code" => "code",
                _ => "text",
            },
            text: bodies.value(row).to_owned(),
            published_at: at,
            updated_at: updated.is_valid(row).then(|| updated.value(row)),
            metadata,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn commits_are_told_older_by_when_they_were_committed_and_old_rows_by_their_only_date() {
        let keep = Keep::Commits {
            repository: "/loom".to_owned(),
            end: 50,
        };
        let takes = |metadata: Value, published: Option<i64>| {
            let Value::Object(metadata) = metadata else {
                panic!("an object")
            };
            keep.takes(&metadata, None, published).is_some()
        };
        let commit = |committed: i64| json!({"repository": "/loom", "commit": "c", "committed": committed});
        assert!(takes(commit(50), Some(10)) && takes(commit(40), None));
        assert!(
            !takes(commit(60), Some(10)),
            "an old date of its author does not count"
        );
        let before = || json!({"repository": "/loom", "commit": "c"});
        assert!(takes(before(), Some(40)));
        assert!(!takes(before(), Some(60)) && !takes(before(), None));
        let other = json!({"repository": "/warp", "commit": "c", "committed": 1});
        let file = json!({"repository": "/loom", "path": "a.md"});
        assert!(!takes(other, Some(1)) && !takes(file, Some(1)));
    }
}
