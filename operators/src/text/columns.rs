//! Typed access to the columns of a batch, with errors that name the column.

use arrow::array::{Array, RecordBatch, StringArray, TimestampMillisecondArray};
use twinloom_sdk::OperatorError;

/// The text column of that name.
///
/// # Errors
/// `rows.column` when it is missing or of another type.
pub fn texts<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a StringArray, OperatorError> {
    typed(rows, name)
}

/// The time column of that name, in milliseconds since 1970 UTC.
///
/// # Errors
/// `rows.column` when it is missing or of another type.
pub fn times<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a TimestampMillisecondArray, OperatorError> {
    typed(rows, name)
}

/// The column of that name and type.
///
/// # Errors
/// `rows.column` when it is missing or of another type.
pub fn typed<'a, T: Array + 'static>(rows: &'a RecordBatch, name: &str) -> Result<&'a T, OperatorError> {
    rows.column_by_name(name).and_then(|column| column.as_any().downcast_ref()).ok_or_else(|| {
        let has = rows.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>().join(", ");
        OperatorError::data(
            "rows.column",
            format!("the rows have no column `{name}` of the right type; they have {has}"),
            "Connect the input to the output of the operator that makes these rows, or import them with this column.",
        )
    })
}

/// The value in a row, `None` where it is null.
#[must_use]
pub fn value(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}
