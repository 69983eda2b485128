//! Rows of a dataset of embedded chunks as records of a collection.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float32Type, Int32Type, Int64Type, Schema},
};
use serde_json::{Map, Value};

use super::{VectorError, VectorRecord};
use crate::{DatasetManifest, FeatureStore};

/// The column of vectors.
const VECTOR: &str = "vector";

/// Columns that go into the payload, where the dataset has them.
const PAYLOAD: [&str; 9] = [
    "title", "link", "category", "platform", "author", "section", "text", "start", "end",
];

/// How the rows of a dataset become records.
pub(super) struct RowReader {
    dataset: String,
    keys: Vec<String>,
    columns: Vec<String>,
}

impl RowReader {
    /// Checks that the dataset has keys of text or integers and a vector column.
    pub fn new(manifest: &DatasetManifest) -> Result<Self, VectorError> {
        let dataset = manifest.id().to_string();
        let schema = FeatureStore::schema_of(manifest)?;
        let bad = |reason: String| VectorError::BadRows {
            dataset: dataset.clone(),
            reason,
        };
        let vector = schema
            .field_with_name(VECTOR)
            .map_err(|_| bad(format!("it has no column `{VECTOR}`")))?;
        if !matches!(vector.data_type(), DataType::FixedSizeList(item, _) if item.data_type() == &DataType::Float32)
        {
            return Err(bad(format!(
                "its column `{VECTOR}` is no fixed-size list of Float32"
            )));
        }
        let keys = manifest.data.keys.clone();
        if keys.is_empty() {
            return Err(bad("it has no key columns".to_owned()));
        }
        let columns = columns(&schema, &keys);
        Ok(Self {
            dataset,
            keys,
            columns,
        })
    }

    /// The columns to read.
    pub fn columns(&self) -> Vec<String> {
        self.columns.clone()
    }

    /// The rows of a batch; a null vector is an error, nulls elsewhere are left out.
    pub fn records(&self, rows: &RecordBatch) -> Result<Vec<VectorRecord>, VectorError> {
        let vectors = rows
            .column_by_name(VECTOR)
            .and_then(|column| column.as_fixed_size_list_opt());
        let vectors = vectors.ok_or_else(|| self.bad(format!("a batch has no column `{VECTOR}`")))?;
        let record = |row: usize| -> Result<VectorRecord, VectorError> {
            let keys: Vec<String> = self
                .keys
                .iter()
                .map(|key| self.key(rows, key, row))
                .collect::<Result<_, _>>()?;
            let id = keys.join("#");
            if vectors.is_null(row) {
                return Err(self.bad(format!("`{id}` has no vector")));
            }
            let values = vectors.value(row);
            let values = values.as_primitive_opt::<Float32Type>();
            let values = values.ok_or_else(|| self.bad(format!("the vector of `{id}` is not Float32")))?;
            let fields = PAYLOAD
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), value(rows, name, row)?)));
            let payload = Value::Object(fields.collect::<Map<_, _>>());
            let entity = keys.into_iter().next().unwrap_or_default();
            Ok(VectorRecord {
                id,
                entity,
                vector: values.values().to_vec(),
                payload,
            })
        };
        (0..rows.num_rows()).map(record).collect()
    }

    fn key(&self, rows: &RecordBatch, column: &str, row: usize) -> Result<String, VectorError> {
        match value(rows, column, row) {
            Some(Value::String(text)) => Ok(text),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(self.bad(format!(
                "its key column `{column}` is neither text nor an integer"
            ))),
        }
    }

    fn bad(&self, reason: String) -> VectorError {
        VectorError::BadRows {
            dataset: self.dataset.clone(),
            reason,
        }
    }
}

fn columns(schema: &Schema, keys: &[String]) -> Vec<String> {
    let wanted =
        |name: &&String| name.as_str() == VECTOR || keys.contains(name) || PAYLOAD.contains(&name.as_str());
    schema
        .fields()
        .iter()
        .map(|field| field.name())
        .filter(wanted)
        .cloned()
        .collect()
}

/// A text or integer as JSON; `None` for nulls, other types and columns that are not there.
fn value(rows: &RecordBatch, column: &str, row: usize) -> Option<Value> {
    let column = rows.column_by_name(column)?;
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string_opt::<i32>()?.value(row).into()),
        DataType::LargeUtf8 => Some(column.as_string_opt::<i64>()?.value(row).into()),
        DataType::Int32 => Some(column.as_primitive_opt::<Int32Type>()?.value(row).into()),
        DataType::Int64 => Some(column.as_primitive_opt::<Int64Type>()?.value(row).into()),
        _ => None,
    }
}
