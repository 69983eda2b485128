//! Documents out of the rows of a batch.

use arrow::{
    array::{Array, BooleanArray, RecordBatch, StringArray},
    compute::filter_record_batch,
};
use serde_json::Value;
use twinloom_sdk::OperatorError;

use super::{Config, Document, survey::Survey};
use crate::text::columns::{texts, value};

/// Documents worked on at a time.
pub const BATCH: usize = 256;

/// The rows of documents that are no near-duplicates.
///
/// # Errors
/// `rows.column`.
pub fn kept(survey: &Survey, rows: &RecordBatch) -> Result<RecordBatch, OperatorError> {
    let keep: BooleanArray = texts(rows, "id")?
        .iter()
        .map(|id| Some(id.is_some_and(|id| survey.left_out(id).is_none())))
        .collect();
    Ok(filter_record_batch(rows, &keep)?)
}

/// The columns that a document is made of.
pub struct Columns<'a> {
    ids: &'a StringArray,
    categories: &'a StringArray,
    titles: &'a StringArray,
    authors: &'a StringArray,
    languages: &'a StringArray,
    links: &'a StringArray,
    metadata: &'a StringArray,
    texts: &'a StringArray,
}

impl<'a> Columns<'a> {
    /// Those of a batch of cleaned documents.
    ///
    /// # Errors
    /// `rows.column`.
    pub fn of(rows: &'a RecordBatch) -> Result<Self, OperatorError> {
        Ok(Self {
            ids: texts(rows, "id")?,
            categories: texts(rows, "category")?,
            titles: texts(rows, "title")?,
            authors: texts(rows, "author")?,
            languages: texts(rows, "language")?,
            links: texts(rows, "link")?,
            metadata: texts(rows, "metadata")?,
            texts: texts(rows, "text")?,
        })
    }

    /// The documents of the categories that are used, in the order of the rows.
    pub fn documents(&self, config: &Config) -> impl Iterator<Item = Document<'a>> {
        (0..self.ids.len())
            .map(|row| self.document(row))
            .filter(|document| {
                config
                    .categories
                    .iter()
                    .any(|wanted| wanted.as_str() == document.category)
            })
    }

    fn document(&self, row: usize) -> Document<'a> {
        let category = self.categories.value(row);
        Document {
            id: self.ids.value(row),
            category,
            commit: is_commit(value(self.links, row), value(self.metadata, row)),
            title: value(self.titles, row),
            author: value(self.authors, row),
            language: value(self.languages, row).filter(|_| category == "code"),
            text: self.texts.value(row),
        }
    }
}

/// A post that says of itself that it is a commit message.
fn is_commit(link: Option<&str>, metadata: Option<&str>) -> bool {
    let says = |metadata: &str| {
        let Ok(Value::Object(fields)) = serde_json::from_str(metadata) else {
            return false;
        };
        fields.contains_key("commit") || fields.get("kind").and_then(Value::as_str) == Some("commit")
    };
    metadata.is_some_and(says) || link.is_some_and(|link| link.contains("/commit/"))
}
