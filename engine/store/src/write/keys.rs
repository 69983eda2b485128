//! Keys: which bucket a row falls in, and the order and uniqueness of rows inside it.

use arrow::{
    array::{Array, AsArray, StringArray},
    datatypes::{DataType, Schema, SchemaRef},
    record_batch::RecordBatch,
    row::{RowConverter, Rows, SortField},
    util::display::array_value_to_string,
};

use crate::{Name, StoreError};

/// Rows that a bucket holds at its best: few enough to rewrite for a single change, enough to compress.
const ROWS: u64 = 1000;
/// Bytes of values that a bucket holds at most, where rows are wide.
const BYTES: u64 = 16 << 20;

/// The key columns of a dataset.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    dataset: String,
    names: Vec<String>,
    columns: Vec<usize>,
    fields: Vec<SortField>,
}

/// Full keys by batch and row.
pub(crate) struct Order(Vec<Rows>);

/// Where a row is: batch and row in it.
pub(crate) type Place = (usize, usize);

/// The hash that buckets are cut from. Part of the format: it never changes.
pub(crate) fn entity_hash(key: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(key.as_bytes()).as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// The bucket of a hash; `buckets` is a power of two, so that buckets of fewer are unions of those of more.
#[expect(clippy::cast_possible_truncation, reason = "masked to the range of u32")]
pub(crate) fn bucket_of(hash: u64, buckets: u32) -> u32 {
    (hash & u64::from(buckets - 1)) as u32
}

/// The number of buckets for that many rows and bytes of values.
pub(crate) fn ideal_buckets(rows: u64, bytes: u64) -> u32 {
    let wanted = rows
        .div_ceil(ROWS)
        .max(bytes / BYTES)
        .max(1)
        .min(u64::from(crate::model::MAX_BUCKETS));
    u32::try_from(wanted.next_power_of_two()).unwrap_or(crate::model::MAX_BUCKETS)
}

/// The number of buckets to go on with: the present one until it is more than four times off.
pub(crate) fn sticky_buckets(present: Option<u32>, ideal: u32) -> u32 {
    match present {
        Some(present) if present <= ideal.saturating_mul(4) && ideal <= present.saturating_mul(4) => present,
        _ => ideal,
    }
}

impl Keys {
    /// The keys of a dataset, checked; `None` where it has none.
    pub(crate) fn new(
        dataset: &Name,
        schema: &SchemaRef,
        keys: &[String],
    ) -> Result<Option<Self>, StoreError> {
        let Some(first) = keys.first() else {
            return Ok(None);
        };
        let refused = |column: &str, reason: &str| StoreError::KeyColumn {
            dataset: dataset.to_string(),
            column: column.to_owned(),
            reason: reason.to_owned(),
        };
        let mut columns = Vec::with_capacity(keys.len());
        for key in keys {
            let index = schema
                .index_of(key)
                .map_err(|_| refused(key, &format!("the columns are {}", names(schema))))?;
            if columns.contains(&index) {
                return Err(refused(key, "it is named twice"));
            }
            if schema.field(index).data_type().is_nested() {
                return Err(refused(key, "it is nested"));
            }
            columns.push(index);
        }
        if schema.field(columns[0]).data_type() != &DataType::Utf8 {
            return Err(refused(
                first,
                &format!("its type is {}, not Utf8", schema.field(columns[0]).data_type()),
            ));
        }
        let fields = columns
            .iter()
            .map(|index| SortField::new(schema.field(*index).data_type().clone()))
            .collect();
        Ok(Some(Self {
            dataset: dataset.to_string(),
            names: keys.to_vec(),
            columns,
            fields,
        }))
    }

    /// The entity keys of a batch.
    pub(crate) fn entities<'a>(&self, batch: &'a RecordBatch) -> &'a StringArray {
        batch.column(self.columns[0]).as_string()
    }

    /// The bucket hashes of a batch's rows; refuses null keys.
    pub(crate) fn hashes(&self, batch: &RecordBatch) -> Result<Vec<u64>, StoreError> {
        for (name, column) in self.names.iter().zip(&self.columns) {
            if batch.column(*column).logical_null_count() > 0 {
                return Err(StoreError::NullKey {
                    dataset: self.dataset.clone(),
                    column: name.clone(),
                });
            }
        }
        let entities = self.entities(batch);
        Ok((0..batch.num_rows())
            .map(|row| entity_hash(entities.value(row)))
            .collect())
    }

    /// The full keys of batches in a form that compares as bytes.
    pub(crate) fn order(&self, batches: &[RecordBatch]) -> Result<Order, StoreError> {
        let converter = RowConverter::new(self.fields.clone()).map_err(StoreError::internal)?;
        let columns = |batch: &RecordBatch| -> Vec<_> {
            self.columns.iter().map(|i| batch.column(*i).clone()).collect()
        };
        let rows = batches
            .iter()
            .map(|batch| converter.convert_columns(&columns(batch)));
        Ok(Order(
            rows.collect::<Result<_, _>>().map_err(StoreError::internal)?,
        ))
    }

    /// Sorts places by full key; two equal keys are an error that names them.
    pub(crate) fn sort(
        &self,
        batches: &[RecordBatch],
        order: &Order,
        places: &mut [Place],
    ) -> Result<(), StoreError> {
        let key = |place: &Place| order.0[place.0].row(place.1);
        places.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        match places.windows(2).find(|pair| key(&pair[0]) == key(&pair[1])) {
            Some(pair) => Err(self.duplicate(&batches[pair[0].0], pair[0].1)),
            None => Ok(()),
        }
    }

    fn duplicate(&self, batch: &RecordBatch, row: usize) -> StoreError {
        let shown = |index: &usize| array_value_to_string(batch.column(*index), row).unwrap_or_default();
        let key: Vec<String> = self
            .columns
            .iter()
            .map(shown)
            .map(|text| text.chars().take(200).collect())
            .collect();
        StoreError::DuplicateKey {
            dataset: self.dataset.clone(),
            key: format!("({})", key.join(", ")),
        }
    }
}

fn names(schema: &Schema) -> String {
    schema
        .fields()
        .iter()
        .map(|field| format!("`{}`", field.name()))
        .collect::<Vec<_>>()
        .join(", ")
}
