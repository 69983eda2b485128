//! Rows to Parquet: the same rows give the same bytes, whatever batches they came in.

use std::sync::Arc;

use arrow::{
    array::Array,
    compute::interleave_record_batch,
    datatypes::{DataType, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use bytes::Bytes;
use parquet::{
    arrow::{ArrowSchemaConverter, ArrowWriter},
    basic::{Compression, Type as PhysicalType, ZstdLevel},
    file::properties::WriterProperties,
};

use super::{
    keys::{Keys, Order, Place},
    stats,
};
use crate::{PartColumn, StoreError, backend::hash_hex};

/// Rows handed to the encoder at once; page boundaries depend on it, so it is part of what makes parts deterministic.
const CHUNK: usize = 4096;
/// Values of one column in one bucket; above it, offsets of 32 bits run over.
const MAX_BUCKET_BYTES: u64 = 1_900_000_000;

/// A part in memory, not yet stored.
pub(crate) struct EncodedPart {
    pub(crate) bytes: Bytes,
    pub(crate) hash: String,
    pub(crate) rows: u64,
    pub(crate) bucket: Option<u32>,
    pub(crate) key_range: Option<(String, String)>,
    pub(crate) entities: Option<u64>,
    pub(crate) columns: Vec<PartColumn>,
}

/// The properties that every part is written with: zstd, and no dictionary for floating-point columns, where it only
/// costs time.
///
/// # Errors
/// `store.unsupported_type` for a column that Parquet cannot hold.
pub fn writer_properties(schema: &Schema) -> Result<WriterProperties, StoreError> {
    let descriptor = ArrowSchemaConverter::new()
        .convert(schema)
        .map_err(|error| unsupported(schema, &error))?;
    let level = ZstdLevel::try_new(1).map_err(StoreError::internal)?;
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        // Without the library's version: an update must not make new versions of old content.
        .set_created_by("twinloom".to_owned());
    for column in descriptor.columns() {
        if matches!(column.physical_type(), PhysicalType::FLOAT | PhysicalType::DOUBLE) {
            builder = builder.set_column_dictionary_enabled(column.path().clone(), false);
        }
    }
    Ok(builder.build())
}

/// Sorts and encodes the rows at the places, all of one bucket.
pub(crate) fn bucket(
    schema: &SchemaRef,
    properties: &WriterProperties,
    keys: &Keys,
    order: &Order,
    bucket: u32,
    batches: &[RecordBatch],
    mut places: Vec<Place>,
) -> Result<(EncodedPart, Vec<RecordBatch>), StoreError> {
    keys.sort(batches, order, &mut places)?;
    let sorted = gather(batches, &places)?;
    let mut part = rows(schema, properties, &sorted)?;
    let mut entities = 0;
    let mut last: Option<&str> = None;
    for value in sorted
        .iter()
        .flat_map(|batch| keys.entities(batch).iter().flatten())
    {
        entities += u64::from(last != Some(value));
        last = Some(value);
    }
    let first = sorted
        .first()
        .map(|batch| keys.entities(batch).value(0).to_owned());
    part.bucket = Some(bucket);
    part.entities = Some(entities);
    part.key_range = first.zip(last.map(str::to_owned));
    Ok((part, sorted))
}

/// Encodes rows in the order given.
pub(crate) fn rows(
    schema: &SchemaRef,
    properties: &WriterProperties,
    batches: &[RecordBatch],
) -> Result<EncodedPart, StoreError> {
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(schema), Some(properties.clone()))
        .map_err(|error| unsupported(schema, &error))?;
    let mut columns = Vec::new();
    let mut rows = 0;
    for batch in batches {
        writer.write(batch).map_err(|error| unsupported(schema, &error))?;
        stats::merge(&mut columns, &stats::of_batch(batch));
        rows += batch.num_rows() as u64;
    }
    let bytes = Bytes::from(writer.into_inner().map_err(StoreError::internal)?);
    let hash = hash_hex(&bytes);
    Ok(EncodedPart {
        bytes,
        hash,
        rows,
        bucket: None,
        key_range: None,
        entities: None,
        columns,
    })
}

/// Bytes that the values of a batch take, the same however they are laid out; validity is left out.
pub(crate) fn value_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| array_bytes(column)).sum()
}

fn gather(batches: &[RecordBatch], places: &[Place]) -> Result<Vec<RecordBatch>, StoreError> {
    if batches.iter().map(value_bytes).sum::<u64>() > MAX_BUCKET_BYTES {
        // Only single rows, or rows that share an entity, can be that large: buckets are cut to 16 MiB.
        let total: u64 = places
            .iter()
            .map(|(batch, row)| value_bytes(&batches[*batch].slice(*row, 1)))
            .sum();
        if total > MAX_BUCKET_BYTES {
            let reason =
                format!("rows that belong together have {total} bytes; the bound is {MAX_BUCKET_BYTES}");
            return Err(StoreError::TooLarge {
                what: "a bucket".to_owned(),
                reason,
            });
        }
    }
    let batches: Vec<&RecordBatch> = batches.iter().collect();
    places
        .chunks(CHUNK)
        .map(|chunk| interleave_record_batch(&batches, chunk).map_err(StoreError::internal))
        .collect()
}

fn array_bytes(array: &dyn Array) -> u64 {
    use arrow::array::AsArray;
    let rows = array.len() as u64;
    match array.data_type() {
        DataType::Utf8 => span(array.as_string::<i32>().value_offsets()) + 4 * rows,
        DataType::Binary => span(array.as_binary::<i32>().value_offsets()) + 4 * rows,
        DataType::LargeUtf8 => span64(array.as_string::<i64>().value_offsets()) + 8 * rows,
        DataType::LargeBinary => span64(array.as_binary::<i64>().value_offsets()) + 8 * rows,
        other => match other.primitive_width() {
            Some(width) => width as u64 * rows,
            None => array.to_data().get_slice_memory_size().unwrap_or_default() as u64,
        },
    }
}

fn span(offsets: &[i32]) -> u64 {
    let ends = offsets.first().zip(offsets.last());
    ends.map_or(0, |(first, last)| u64::try_from(last - first).unwrap_or_default())
}

fn span64(offsets: &[i64]) -> u64 {
    let ends = offsets.first().zip(offsets.last());
    ends.map_or(0, |(first, last)| u64::try_from(last - first).unwrap_or_default())
}

fn unsupported(schema: &Schema, error: &parquet::errors::ParquetError) -> StoreError {
    let columns: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    StoreError::UnsupportedType {
        column: columns.join(", "),
        data_type: error.to_string(),
    }
}
