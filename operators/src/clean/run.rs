//! The operator: rows of raw documents to rows of cleaned ones.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, BooleanArray, RecordBatch, StringBuilder, TimestampMillisecondBuilder},
    compute::filter_record_batch,
    datatypes::{Schema, SchemaRef},
};
use async_trait::async_trait;
use serde_json::Value;
use twinloom_sdk::{Context, OperatorError, OperatorInfo, RowOperator, Runs, records};

use super::{Config, Raw, clean};
use crate::text::{
    columns::{texts, times, value},
    lines::count_chars,
};

/// Columns that stay as they are.
const KEPT: [&str; 6] = ["id", "category", "platform", "author", "link", "title"];

/// The operator `clean`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clean;

#[async_trait]
impl RowOperator for Clean {
    type Config = Config;
    type State = Config;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            name: "clean",
            version: "1",
            summary: "Takes site chrome out of documents; code, structure and the author's words stay.",
            inputs: vec![records::dataset_in(
                "documents",
                "Documents as scraped.",
                &records::raw_documents(),
                &[],
            )],
            outputs: vec![records::dataset_out(
                "documents",
                "The same, cleaned.",
                &records::cleaned_documents(),
            )],
            open_ports: false,
            runs: Runs::Process,
            cacheable: true,
        }
    }

    fn keys(&self) -> &'static [&'static str] {
        &["id"]
    }

    fn parallel(&self) -> usize {
        2
    }

    fn batch_rows(&self) -> usize {
        256
    }

    fn output_schema(&self, _state: &Config, _input: &Schema) -> Result<SchemaRef, OperatorError> {
        Ok(records::cleaned_documents())
    }

    async fn open(&self, _context: &Context, config: Config) -> Result<Config, OperatorError> {
        Ok(config)
    }

    fn map(
        &self,
        context: &Context,
        config: &Config,
        rows: RecordBatch,
    ) -> Result<RecordBatch, OperatorError> {
        let (cleaned, dropped) = clean_rows(config, &rows)?;
        if !dropped.is_empty() {
            let some = dropped
                .iter()
                .take(5)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            context.warn(format!(
                "dropped {} documents with too little text after cleaning: {some}",
                dropped.len()
            ));
        }
        Ok(cleaned)
    }
}

/// Cleans a batch. Also returns the links (or ids) of documents that had too little text left and were dropped.
///
/// # Errors
/// `rows.column` when a column is missing.
pub fn clean_rows(config: &Config, rows: &RecordBatch) -> Result<(RecordBatch, Vec<String>), OperatorError> {
    let (ids, categories) = (texts(rows, "id")?, texts(rows, "category")?);
    let (formats, documents) = (texts(rows, "format")?, texts(rows, "text")?);
    let (titles, authors, links) = (
        texts(rows, "title")?,
        texts(rows, "author")?,
        texts(rows, "link")?,
    );
    let (metadata, published) = (texts(rows, "metadata")?, times(rows, "published_at")?);

    let count = rows.num_rows();
    let mut out_texts = StringBuilder::with_capacity(count, documents.value_data().len());
    let mut languages = StringBuilder::with_capacity(count, count * 3);
    let mut dates = TimestampMillisecondBuilder::with_capacity(count);
    let (mut keep, mut dropped) = (Vec::with_capacity(count), Vec::new());
    for row in 0..count {
        let category = categories.value(row);
        let path = if category == "code" {
            value(metadata, row).and_then(path_of)
        } else {
            None
        };
        let raw = Raw {
            category,
            format: formats.value(row),
            text: documents.value(row),
            title: value(titles, row),
            author: value(authors, row),
            link: value(links, row),
            path: path.as_deref(),
        };
        let cleaned = clean(&raw, config);
        let enough = !cleaned.text.trim().is_empty() && has_chars(&cleaned.text, config.min_chars);
        if !enough {
            dropped.push(raw.link.unwrap_or_else(|| ids.value(row)).to_owned());
        }
        keep.push(enough);
        out_texts.append_value(&cleaned.text);
        languages.append_option(cleaned.language);
        let known = published.is_valid(row).then(|| published.value(row));
        dates.append_option(known.or(cleaned.published_at));
    }

    let mut columns: Vec<ArrayRef> = Vec::with_capacity(11);
    for name in KEPT {
        columns.push(Arc::new(texts(rows, name)?.clone()));
    }
    columns.push(Arc::new(out_texts.finish()));
    columns.push(Arc::new(languages.finish()));
    columns.push(Arc::new(dates.finish().with_timezone("UTC")));
    columns.push(Arc::new(times(rows, "updated_at")?.clone().with_timezone("UTC")));
    columns.push(Arc::new(metadata.clone()));
    let cleaned = RecordBatch::try_new(records::cleaned_documents(), columns)?;
    let cleaned = if dropped.is_empty() {
        cleaned
    } else {
        filter_record_batch(&cleaned, &BooleanArray::from(keep))?
    };
    Ok((cleaned, dropped))
}

fn has_chars(text: &str, least: usize) -> bool {
    // A character has at most four bytes.
    text.len() >= least && (text.len() >= least.saturating_mul(4) || count_chars(text) >= least)
}

fn path_of(metadata: &str) -> Option<String> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    metadata.get("path")?.as_str().map(str::to_owned)
}
