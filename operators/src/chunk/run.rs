//! The operator: rows of cleaned documents to rows of chunks.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int32Builder, Int64Builder, RecordBatch, StringArray, StringBuilder},
    datatypes::{Schema, SchemaRef},
};
use async_trait::async_trait;
use twinloom_sdk::{Context, OperatorError, OperatorInfo, RowOperator, Runs, records};

use super::{Config, Shape, split};
use crate::text::columns::{texts, value};

/// Columns that a chunk takes over from its document.
const ABOUT: [&str; 5] = ["category", "platform", "author", "link", "title"];

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
    let about = ABOUT.map(|name| texts(rows, name));
    let mut out = Builder::default();
    for row in 0..rows.num_rows() {
        let text = documents.value(row);
        let shape = Shape::of(categories.value(row), value(languages, row));
        for (number, piece) in (0..).zip(split(text, shape, config.size)) {
            out.ids.append_value(ids.value(row));
            out.numbers.append_value(number);
            for (column, builder) in about.iter().zip(&mut out.about) {
                builder.append_option(column.as_ref().ok().and_then(|column| value(column, row)));
            }
            out.sections.append_option(piece.section);
            out.texts.append_value(&text[piece.start..piece.end]);
            out.starts.append_value(offset(piece.start)?);
            out.ends.append_value(offset(piece.end)?);
        }
    }
    about.into_iter().collect::<Result<Vec<&StringArray>, _>>()?;
    out.finish()
}

fn offset(at: usize) -> Result<i64, OperatorError> {
    i64::try_from(at).map_err(|_| OperatorError::bug("chunk.offset", format!("offset {at} is out of range")))
}

#[derive(Default)]
struct Builder {
    ids: StringBuilder,
    numbers: Int32Builder,
    about: [StringBuilder; 5],
    sections: StringBuilder,
    texts: StringBuilder,
    starts: Int64Builder,
    ends: Int64Builder,
}

impl Builder {
    fn finish(mut self) -> Result<RecordBatch, OperatorError> {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.ids.finish()), Arc::new(self.numbers.finish())];
        columns.extend(
            self.about
                .iter_mut()
                .map(|builder| Arc::new(builder.finish()) as ArrayRef),
        );
        columns.push(Arc::new(self.sections.finish()));
        columns.push(Arc::new(self.texts.finish()));
        columns.push(Arc::new(self.starts.finish()));
        columns.push(Arc::new(self.ends.finish()));
        Ok(RecordBatch::try_new(records::chunks(), columns)?)
    }
}
