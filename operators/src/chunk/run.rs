//! The operator: rows of cleaned documents to rows of chunks.

use arrow::{
    array::RecordBatch,
    datatypes::{Schema, SchemaRef},
};
use async_trait::async_trait;
use twinloom_sdk::{Context, OperatorError, OperatorInfo, RowOperator, Runs, records};

use super::{Config, Shape, split};
use crate::text::{
    columns::{texts, value},
    rows::{Cell, RowBuilder},
};

/// The operator `chunk`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Chunk;

#[async_trait]
impl RowOperator for Chunk {
    type Config = Config;
    type State = Config;

    fn info(&self) -> OperatorInfo {
        let needs = [
            "id", "category", "platform", "author", "link", "title", "text", "language",
        ];
        OperatorInfo {
            name: "chunk",
            version: "1",
            summary: "Cuts cleaned documents into contiguous chunks by their structure, without losing a character.",
            inputs: vec![records::dataset_in(
                "documents",
                "Cleaned documents.",
                &records::cleaned_documents(),
                &needs,
            )],
            outputs: vec![records::dataset_out(
                "chunks",
                "Their chunks, in order.",
                &records::chunks(),
            )],
            open_ports: false,
            runs: Runs::Process,
            cacheable: true,
        }
    }

    fn keys(&self) -> &'static [&'static str] {
        &["document_id", "chunk"]
    }

    fn parallel(&self) -> usize {
        2
    }

    fn batch_rows(&self) -> usize {
        256
    }

    fn output_schema(&self, _state: &Config, _input: &Schema) -> Result<SchemaRef, OperatorError> {
        Ok(records::chunks())
    }

    async fn open(&self, _context: &Context, config: Config) -> Result<Config, OperatorError> {
        if !(64..=100_000).contains(&config.size) {
            return Err(OperatorError::config(
                "chunk.size",
                format!("a chunk size of {} characters is out of range", config.size),
                "Set `size` between 64 and 100000.",
            ));
        }
        Ok(config)
    }

    fn map(
        &self,
        _context: &Context,
        config: &Config,
        rows: RecordBatch,
    ) -> Result<RecordBatch, OperatorError> {
        chunk_rows(config, &rows)
    }
}

/// Cuts a batch of cleaned documents into a batch of chunks.
///
/// # Errors
/// `rows.column` when a column is missing.
pub fn chunk_rows(config: &Config, rows: &RecordBatch) -> Result<RecordBatch, OperatorError> {
    let (ids, categories) = (texts(rows, "id")?, texts(rows, "category")?);
    let (documents, languages) = (texts(rows, "text")?, texts(rows, "language")?);
    let (platforms, authors) = (texts(rows, "platform")?, texts(rows, "author")?);
    let (links, titles) = (texts(rows, "link")?, texts(rows, "title")?);
    let mut out = RowBuilder::new(records::chunks())?;
    for row in 0..rows.num_rows() {
        let text = documents.value(row);
        let shape = Shape::of(categories.value(row), value(languages, row));
        for (number, piece) in (0..).zip(split(text, shape, config.size)) {
            out.push([
                ids.value(row).into(),
                Cell::Number(number),
                value(categories, row).into(),
                value(platforms, row).into(),
                value(authors, row).into(),
                value(links, row).into(),
                value(titles, row).into(),
                piece.section.as_deref().into(),
                text[piece.start..piece.end].into(),
                offset(piece.start)?,
                offset(piece.end)?,
            ])?;
        }
    }
    out.finish()
}

fn offset(at: usize) -> Result<Cell<'static>, OperatorError> {
    i64::try_from(at)
        .map(Cell::Number)
        .map_err(|_| OperatorError::bug("chunk.offset", format!("offset {at} is out of range")))
}
