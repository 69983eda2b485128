//! Documents to rows: batches of bounded size, duplicates merged.

use std::{collections::HashMap, sync::Arc};

use arrow::array::{ArrayRef, RecordBatch, StringBuilder, TimestampMillisecondBuilder};
use serde_json::Value;
use twinloom_sdk::{Context, OperatorError, records};
use twinloom_store::{DatasetWriter, StagedDataset};

use super::document::{Document, id};

/// A batch is written when its text has as many bytes.
const BATCH_BYTES: usize = 4 << 20;
/// A batch is written when it has as many rows.
const BATCH_ROWS: usize = 1024;

/// Takes documents one at a time.
pub struct Sink<'a> {
    context: &'a Context,
    writer: DatasetWriter,
    rows: Rows,
    /// Hash of the text by document id.
    seen: HashMap<String, blake3::Hash>,
    /// Documents that were there before with the same text.
    pub duplicates: u64,
}

impl<'a> Sink<'a> {
    /// Writes to the output `documents`.
    pub fn new(context: &'a Context) -> Result<Self, OperatorError> {
        let writer = context.stage_dataset("documents", records::raw_documents(), &["id"])?;
        Ok(Self {
            context,
            writer,
            rows: Rows::default(),
            seen: HashMap::new(),
            duplicates: 0,
        })
    }

    /// Documents taken so far, duplicates not counted.
    pub fn documents(&self) -> u64 {
        self.seen.len() as u64
    }

    /// Whether there is a document of that id.
    pub fn has(&self, id: &str) -> bool {
        self.seen.contains_key(id)
    }

    /// Takes a document. One of the same id and text is merged with it; one of the same id and another text is kept
    /// beside it.
    pub async fn push(&mut self, mut document: Document) -> Result<(), OperatorError> {
        let hash = blake3::hash(document.text.as_bytes());
        if let Some(before) = self.seen.get(&document.id)
            && *before != hash
        {
            document.id = id(&["other", &document.id, hash.to_hex().as_str()]);
        }
        if self.seen.contains_key(&document.id) {
            self.duplicates += 1;
            return Ok(());
        }
        self.seen.insert(document.id.clone(), hash);
        self.rows.push(document);
        if self.rows.bytes >= BATCH_BYTES || self.rows.count >= BATCH_ROWS {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), OperatorError> {
        if self.rows.count > 0 {
            self.context.check_cancelled()?;
            self.writer
                .write(std::mem::take(&mut self.rows).finish()?)
                .await?;
            self.context.progress(self.documents(), None, "documents");
        }
        Ok(())
    }

    /// Writes what is left.
    pub async fn finish(mut self) -> Result<StagedDataset, OperatorError> {
        self.flush().await?;
        Ok(self.writer.finish().await?)
    }
}

#[derive(Default)]
struct Rows {
    count: usize,
    bytes: usize,
    texts: [StringBuilder; 8],
    published: TimestampMillisecondBuilder,
    updated: TimestampMillisecondBuilder,
    metadata: StringBuilder,
}

impl Rows {
    fn push(&mut self, document: Document) {
        self.count += 1;
        self.bytes += document.text.len();
        let Document {
            id,
            category,
            platform,
            author,
            link,
            title,
            format,
            text,
            ..
        } = document;
        let values = [
            Some(id),
            Some(category.as_str().to_owned()),
            Some(platform),
            author,
            link,
            title,
            Some(format.to_owned()),
            Some(text),
        ];
        for (builder, value) in self.texts.iter_mut().zip(values) {
            builder.append_option(value);
        }
        self.published.append_option(document.published_at);
        self.updated.append_option(document.updated_at);
        let metadata = (!document.metadata.is_empty()).then(|| Value::Object(document.metadata).to_string());
        self.metadata.append_option(metadata);
    }

    fn finish(mut self) -> Result<RecordBatch, OperatorError> {
        let mut columns: Vec<ArrayRef> = self
            .texts
            .iter_mut()
            .map(|builder| Arc::new(builder.finish()) as ArrayRef)
            .collect();
        columns.push(Arc::new(self.published.finish().with_timezone("UTC")));
        columns.push(Arc::new(self.updated.finish().with_timezone("UTC")));
        columns.push(Arc::new(self.metadata.finish()));
        Ok(RecordBatch::try_new(records::raw_documents(), columns)?)
    }
}
