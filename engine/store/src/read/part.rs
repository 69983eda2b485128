//! One Parquet file, from a local path or from bytes.

use std::{fs::File, path::PathBuf};

use arrow::{
    array::BooleanArray,
    compute::filter_record_batch,
    datatypes::{Schema, SchemaRef},
    record_batch::RecordBatch,
};
use bytes::Bytes;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder},
    },
    file::reader::ChunkReader,
};

use crate::{
    Part, StoreError,
    backend::{Backend, corrupt, missing},
    write::difference,
};

/// Where a part's bytes are.
#[derive(Debug)]
enum Source {
    File(PathBuf),
    Bytes(Bytes),
}

/// A part, ready to be decoded by a thread that may block.
#[derive(Debug)]
pub(crate) struct PartFile {
    part: Part,
    owner: String,
    source: Source,
}

/// A filter of rows: which of a batch to keep.
pub(crate) type Keep<'a> = &'a dyn Fn(&RecordBatch) -> BooleanArray;

impl PartFile {
    /// Finds a part; a remote one is fetched whole. `owner` is the version that needs it, for errors.
    pub(crate) async fn open(backend: &Backend, part: &Part, owner: &str) -> Result<Self, StoreError> {
        let source = match backend.local_path(&part.blob) {
            Some(path) => Source::File(path),
            None => Source::Bytes(backend.blob_bytes(&part.blob, owner).await?),
        };
        Ok(Self {
            part: part.clone(),
            owner: owner.to_owned(),
            source,
        })
    }

    /// Decodes it batch by batch. `columns` are positions in the schema. Blocks.
    pub(crate) fn decode(
        &self,
        schema: &SchemaRef,
        columns: Option<&[usize]>,
        batch_size: usize,
    ) -> Result<Decoder<'_>, StoreError> {
        let reader = match &self.source {
            Source::Bytes(bytes) => self.reader(bytes.clone(), schema, columns, batch_size)?,
            Source::File(path) => self.reader(self.open_file(path)?, schema, columns, batch_size)?,
        };
        let projected = match columns {
            Some(columns) => schema.project(columns).map_err(StoreError::internal)?,
            None => schema.as_ref().clone(),
        };
        Ok(Decoder {
            part: self,
            reader,
            schema: projected.into(),
        })
    }

    /// All rows of it. Blocks.
    pub(crate) fn all(&self, schema: &SchemaRef) -> Result<Vec<RecordBatch>, StoreError> {
        self.decode(
            schema,
            None,
            usize::try_from(self.part.rows)
                .unwrap_or(usize::MAX)
                .clamp(1, 1 << 20),
        )?
        .collect()
    }

    fn open_file(&self, path: &PathBuf) -> Result<File, StoreError> {
        let failed = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => missing(&self.part.blob, &self.owner),
            _ => StoreError::file("read", path, error),
        };
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        if size == self.part.blob.bytes {
            Ok(file)
        } else {
            Err(self.corrupt(format!("it has {size} bytes, not {}", self.part.blob.bytes)))
        }
    }

    fn reader<R: ChunkReader + 'static>(
        &self,
        source: R,
        schema: &Schema,
        columns: Option<&[usize]>,
        batch_size: usize,
    ) -> Result<ParquetRecordBatchReader, StoreError> {
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(source).map_err(|error| self.corrupt(error))?;
        if let Some(reason) = difference(schema, builder.schema()) {
            return Err(self.corrupt(format!("its columns are not the version's: {reason}")));
        }
        let mask = match columns {
            Some(columns) => ProjectionMask::roots(builder.parquet_schema(), columns.iter().copied()),
            None => ProjectionMask::all(),
        };
        let builder = builder.with_projection(mask).with_batch_size(batch_size);
        builder.build().map_err(|error| self.corrupt(error))
    }

    fn corrupt(&self, reason: impl std::fmt::Display) -> StoreError {
        corrupt(&self.part.blob, &self.owner, &reason.to_string())
    }
}

/// Batches of a part under the version's schema.
pub(crate) struct Decoder<'a> {
    part: &'a PartFile,
    reader: ParquetRecordBatchReader,
    schema: SchemaRef,
}

impl Iterator for Decoder<'_> {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        let batch =
            batch.and_then(|batch| RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec()));
        Some(batch.map_err(|error| self.part.corrupt(error)))
    }
}

/// The rows to keep, or `None` where none is.
pub(crate) fn filtered(batch: &RecordBatch, keep: Keep<'_>) -> Result<Option<RecordBatch>, StoreError> {
    let mask = keep(batch);
    match mask.true_count() {
        0 => Ok(None),
        all if all == batch.num_rows() => Ok(Some(batch.clone())),
        _ => filter_record_batch(batch, &mask)
            .map(Some)
            .map_err(StoreError::internal),
    }
}
