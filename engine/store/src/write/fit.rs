//! Do rows fit the schema they are written under?

use arrow::{
    datatypes::{Schema, SchemaRef},
    record_batch::RecordBatch,
};

use crate::{Name, StoreError};

/// The batch under the dataset's schema; differences of metadata alone do not matter.
pub(crate) fn batch(
    dataset: &Name,
    schema: &SchemaRef,
    batch: RecordBatch,
) -> Result<RecordBatch, StoreError> {
    if batch.schema_ref() == schema {
        return Ok(batch);
    }
    if let Some(reason) = difference(schema, batch.schema_ref()) {
        return Err(StoreError::SchemaMismatch {
            dataset: dataset.to_string(),
            reason,
        });
    }
    RecordBatch::try_new(schema.clone(), batch.columns().to_vec()).map_err(|error| {
        StoreError::SchemaMismatch {
            dataset: dataset.to_string(),
            reason: error.to_string(),
        }
    })
}

/// The first difference of two schemas in the names and types of columns.
pub(crate) fn difference(wanted: &Schema, given: &Schema) -> Option<String> {
    let (wanted, given) = (wanted.fields(), given.fields());
    for (position, field) in wanted.iter().enumerate() {
        match given.get(position) {
            None => return Some(format!("column `{}` is missing", field.name())),
            Some(other) if other.name() != field.name() => {
                return Some(format!(
                    "column {} is `{}`, not `{}`",
                    position + 1,
                    other.name(),
                    field.name()
                ));
            }
            Some(other) if !other.data_type().equals_datatype(field.data_type()) => {
                let (have, want) = (other.data_type(), field.data_type());
                return Some(format!(
                    "column `{}` has the type {have}, not {want}",
                    field.name()
                ));
            }
            Some(_) => {}
        }
    }
    given
        .get(wanted.len())
        .map(|extra| format!("column `{}` is not in the schema", extra.name()))
}
