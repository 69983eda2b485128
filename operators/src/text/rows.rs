//! Rows built cell by cell, for operators that make other rows than they read.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Int32Builder, Int64Builder, RecordBatch, StringBuilder},
    datatypes::{DataType, SchemaRef},
};
use twinloom_sdk::OperatorError;

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(&'a str),
    /// A number, for a column of 32 or 64 bits.
    Number(i64),
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A batch in the making, of text and whole numbers.
pub struct RowBuilder {
    schema: SchemaRef,
    columns: Vec<Column>,
}

enum Column {
    Text(StringBuilder),
    Small(Int32Builder),
    Large(Int64Builder),
}

impl RowBuilder {
    /// No rows yet.
    ///
    /// # Errors
    /// `rows.type` where the schema has a column of another type.
    pub fn new(schema: SchemaRef) -> Result<Self, OperatorError> {
        let column = |field: &Arc<arrow::datatypes::Field>| match field.data_type() {
            DataType::Utf8 => Ok(Column::Text(StringBuilder::new())),
            DataType::Int32 => Ok(Column::Small(Int32Builder::new())),
            DataType::Int64 => Ok(Column::Large(Int64Builder::new())),
            other => Err(OperatorError::bug(
                "rows.type",
                format!("the column `{}` is of the type {other}", field.name()),
            )),
        };
        let columns = schema.fields().iter().map(column).collect::<Result<_, _>>()?;
        Ok(Self { schema, columns })
    }

    /// Adds a row: a cell for each column, in the schema's order.
    ///
    /// # Errors
    /// `rows.cell` where a cell does not fit its column, or there are more or fewer.
    pub fn push<const N: usize>(&mut self, cells: [Cell<'_>; N]) -> Result<(), OperatorError> {
        if N != self.columns.len() {
            return Err(OperatorError::bug(
                "rows.cell",
                format!("{N} cells for {} columns", self.columns.len()),
            ));
        }
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match (column, cell) {
                (Column::Text(builder), Cell::Text(text)) => builder.append_value(text),
                (Column::Text(builder), Cell::Null) => builder.append_null(),
                (Column::Small(builder), Cell::Number(number)) => {
                    let number = i32::try_from(number)
                        .map_err(|_| OperatorError::bug("rows.cell", format!("{number} is out of range")))?;
                    builder.append_value(number);
                }
                (Column::Small(builder), Cell::Null) => builder.append_null(),
                (Column::Large(builder), Cell::Number(number)) => builder.append_value(number),
                (Column::Large(builder), Cell::Null) => builder.append_null(),
                (_, cell) => {
                    return Err(OperatorError::bug(
                        "rows.cell",
                        format!("{cell:?} does not fit its column"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The batch.
    ///
    /// # Errors
    /// What arrow says, such as of a null where there may be none.
    pub fn finish(self) -> Result<RecordBatch, OperatorError> {
        let array = |column: Column| -> ArrayRef {
            match column {
                Column::Text(mut builder) => Arc::new(builder.finish()),
                Column::Small(mut builder) => Arc::new(builder.finish()),
                Column::Large(mut builder) => Arc::new(builder.finish()),
            }
        };
        let columns = self.columns.into_iter().map(array).collect();
        Ok(RecordBatch::try_new(self.schema, columns)?)
    }
}
