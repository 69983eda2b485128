//! The operator: rows of cleaned documents to rows of instruct.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int32Builder, RecordBatch, StringBuilder},
    datatypes::{Schema, SchemaRef},
};
use async_trait::async_trait;
use serde_json::Value;
use twinloom_sdk::{Context, OperatorError, OperatorInfo, RowOperator, Runs, records};

use super::{Config, Document, pairs};
use crate::{
    split::{group_key, split_of},
    text::columns::{texts, value},
};

/// The operator `instruct`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Instruct;

#[async_trait]
impl RowOperator for Instruct {
    type Config = Config;
    type State = Config;

    fn info(&self) -> OperatorInfo {
        let needs = [
            "id", "category", "author", "link", "title", "text", "language", "metadata",
        ];
        OperatorInfo {
            name: "instruct",
            version: "1",
            summary: "Makes pairs of instruction and answer from the author's own text, split by document.",
            inputs: vec![records::dataset_in(
                "documents",
                "Cleaned documents.",
                &records::cleaned_documents(),
                &needs,
            )],
            outputs: vec![records::dataset_out(
                "instruct",
                "Pairs; every answer is verbatim text of its document.",
                &records::instruct(),
            )],
            open_ports: false,
            runs: Runs::Process,
            cacheable: true,
        }
    }

    fn keys(&self) -> &'static [&'static str] {
        &["document_id", "sample"]
    }

    fn batch_rows(&self) -> usize {
        256
    }

    fn output_schema(&self, _state: &Config, _input: &Schema) -> Result<SchemaRef, OperatorError> {
        Ok(records::instruct())
    }

    async fn open(&self, _context: &Context, config: Config) -> Result<Config, OperatorError> {
        config.check()?;
        Ok(config)
    }

    fn map(
        &self,
        _context: &Context,
        config: &Config,
        rows: RecordBatch,
    ) -> Result<RecordBatch, OperatorError> {
        instruct_rows(config, &rows)
    }
}

/// Makes the pairs of a batch of cleaned documents.
fn instruct_rows(config: &Config, rows: &RecordBatch) -> Result<RecordBatch, OperatorError> {
    let (ids, categories, documents) = (texts(rows, "id")?, texts(rows, "category")?, texts(rows, "text")?);
    let (titles, authors, languages) = (
        texts(rows, "title")?,
        texts(rows, "author")?,
        texts(rows, "language")?,
    );
    let (links, metadata) = (texts(rows, "link")?, texts(rows, "metadata")?);
    let mut out = Builder::default();
    for row in 0..rows.num_rows() {
        let category = categories.value(row);
        if !config.categories.iter().any(|wanted| wanted.as_str() == category) {
            continue;
        }
        let document = Document {
            id: ids.value(row),
            category,
            commit: is_commit(value(links, row), value(metadata, row)),
            title: value(titles, row),
            author: value(authors, row),
            language: value(languages, row).filter(|_| category == "code"),
            text: documents.value(row),
        };
        let split = split_of(&group_key(document.title, document.text), config.eval_share);
        for (sample, pair) in (0..).zip(pairs(&document, config)) {
            out.samples.append_value(sample);
            out.authors.append_option(document.author);
            let answer = &document.text[pair.answer];
            let cells = [document.id, category, &pair.instruction, answer, split.as_str()];
            out.cells
                .iter_mut()
                .zip(cells)
                .for_each(|(builder, cell)| builder.append_value(cell));
        }
    }
    out.finish()
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

/// `cells`: document_id, category, instruction, answer, split.
#[derive(Default)]
struct Builder {
    samples: Int32Builder,
    authors: StringBuilder,
    cells: [StringBuilder; 5],
}

impl Builder {
    fn finish(mut self) -> Result<RecordBatch, OperatorError> {
        let [id, category, instruction, answer, split] =
            self.cells.each_mut().map(|b| Arc::new(b.finish()) as ArrayRef);
        let (samples, authors) = (Arc::new(self.samples.finish()), Arc::new(self.authors.finish()));
        let columns: Vec<ArrayRef> = vec![id, samples, category, authors, instruction, answer, split];
        Ok(RecordBatch::try_new(records::instruct(), columns)?)
    }
}
