//! Rows for printers that know time zones as offsets only.

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{
        DataType, Field, Schema, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
};

use crate::StoreError;

/// The same rows with the zone `UTC` written as the offset `+00:00`: arrow's JSON and text writers know names of zones
/// only with a database of them, and the names of this one zone are all that Parquet's writers commonly use.
///
/// # Errors
/// `store.internal`, should the columns not fit their own schema.
pub fn printable(batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
    let schema = batch.schema();
    let is_utc = |field: &Field| matches!(field.data_type(), DataType::Timestamp(_, Some(zone)) if matches!(&**zone, "UTC" | "Etc/UTC" | "Z"));
    if !schema.fields().iter().any(|field| is_utc(field)) {
        return Ok(batch.clone());
    }
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if !is_utc(field) {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
            continue;
        }
        let column: Arc<dyn Array> = match field.data_type() {
            DataType::Timestamp(TimeUnit::Second, _) => Arc::new(
                column
                    .as_primitive::<TimestampSecondType>()
                    .clone()
                    .with_timezone("+00:00"),
            ),
            DataType::Timestamp(TimeUnit::Millisecond, _) => Arc::new(
                column
                    .as_primitive::<TimestampMillisecondType>()
                    .clone()
                    .with_timezone("+00:00"),
            ),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Arc::new(
                column
                    .as_primitive::<TimestampMicrosecondType>()
                    .clone()
                    .with_timezone("+00:00"),
            ),
            _ => Arc::new(
                column
                    .as_primitive::<TimestampNanosecondType>()
                    .clone()
                    .with_timezone("+00:00"),
            ),
        };
        fields.push(Arc::new(
            field.as_ref().clone().with_data_type(column.data_type().clone()),
        ));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|_| StoreError::internal("columns that do not fit their schema"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use arrow::{array::TimestampMillisecondArray, util::display::array_value_to_string};

    use super::*;

    #[test]
    fn utc_can_be_printed_by_its_offset() {
        let times = TimestampMillisecondArray::from(vec![Some(0), None]).with_timezone("UTC");
        let batch = RecordBatch::try_from_iter([("at", Arc::new(times) as _)]).unwrap();
        let shown = printable(&batch).unwrap();
        assert_eq!(
            array_value_to_string(shown.column(0), 0).unwrap(),
            "1970-01-01T00:00:00Z"
        );
        assert_eq!(shown.num_rows(), 2);
    }
}
