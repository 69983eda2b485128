//! Arrow schemas as JSON: lossless, readable, and checked on the way in.

use std::{
    collections::{BTreeMap, HashMap},
    str::FromStr,
    sync::Arc,
};

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::StoreError;

#[derive(Serialize, Deserialize)]
struct FieldJson {
    name: String,
    #[serde(rename = "type")]
    data_type: Value,
    nullable: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct SchemaJson {
    fields: Vec<FieldJson>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

/// The schema as JSON: `{"fields": [{"name", "type", "nullable", "metadata"}], "metadata"}`, where a type is arrow's own
/// word for it (`Utf8`, `Timestamp(µs, "UTC")`) or an object for nested ones (`{"list": field}`).
///
/// # Errors
/// [`StoreError::UnsupportedType`] for unions, run-end encoding and list views.
pub fn schema_to_json(schema: &Schema) -> Result<Value, StoreError> {
    let fields = schema
        .fields()
        .iter()
        .map(|field| field_to_json(field))
        .collect::<Result<_, _>>()?;
    let json = SchemaJson {
        fields,
        metadata: sorted(schema.metadata().iter()),
    };
    serde_json::to_value(json).map_err(StoreError::internal)
}

/// The schema that [`schema_to_json`] wrote.
///
/// # Errors
/// [`StoreError::BadManifest`] when the JSON is of another shape or names an unknown type.
pub fn schema_from_json(value: &Value) -> Result<SchemaRef, StoreError> {
    let json = SchemaJson::deserialize(value).map_err(|error| bad(&error))?;
    let fields = json
        .fields
        .into_iter()
        .map(field_from_json)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Schema::new_with_metadata(fields, hashed(json.metadata))))
}

fn field_to_json(field: &Field) -> Result<FieldJson, StoreError> {
    Ok(FieldJson {
        name: field.name().clone(),
        data_type: type_to_json(field.name(), field.data_type())?,
        nullable: field.is_nullable(),
        metadata: sorted(field.metadata().iter()),
    })
}

fn type_to_json(column: &str, data_type: &DataType) -> Result<Value, StoreError> {
    let nested = |field: &FieldRef| {
        field_to_json(field).and_then(|f| serde_json::to_value(f).map_err(StoreError::internal))
    };
    Ok(match data_type {
        DataType::List(item) => json!({"list": nested(item)?}),
        DataType::LargeList(item) => json!({"large_list": nested(item)?}),
        DataType::FixedSizeList(item, size) => json!({"fixed_size_list": nested(item)?, "size": size}),
        DataType::Map(entries, ordered) => json!({"map": nested(entries)?, "ordered": ordered}),
        DataType::Struct(fields) => {
            json!({"struct": fields.iter().map(nested).collect::<Result<Vec<_>, _>>()?})
        }
        DataType::Dictionary(key, value) => {
            json!({"dictionary": type_to_json(column, value)?, "index": type_to_json(column, key)?})
        }
        DataType::Union(..)
        | DataType::RunEndEncoded(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => {
            return Err(StoreError::UnsupportedType {
                column: column.to_owned(),
                data_type: data_type.to_string(),
            });
        }
        leaf => Value::String(leaf.to_string()),
    })
}

fn field_from_json(json: FieldJson) -> Result<Field, StoreError> {
    let data_type = type_from_json(&json.data_type)?;
    Ok(Field::new(json.name, data_type, json.nullable).with_metadata(hashed(json.metadata)))
}

fn type_from_json(value: &Value) -> Result<DataType, StoreError> {
    let nested = |value: &Value| -> Result<FieldRef, StoreError> {
        field_from_json(FieldJson::deserialize(value).map_err(|error| bad(&error))?).map(Arc::new)
    };
    if let Some(text) = value.as_str() {
        return DataType::from_str(text).map_err(|error| bad(&error));
    }
    let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or_default();
    if let Some(item) = value.get("list") {
        Ok(DataType::List(nested(item)?))
    } else if let Some(item) = value.get("large_list") {
        Ok(DataType::LargeList(nested(item)?))
    } else if let Some(item) = value.get("fixed_size_list") {
        let size = value
            .get("size")
            .and_then(Value::as_i64)
            .and_then(|n| i32::try_from(n).ok())
            .filter(|n| *n >= 0);
        Ok(DataType::FixedSizeList(
            nested(item)?,
            size.ok_or_else(|| bad(&"a fixed-size list without a size"))?,
        ))
    } else if let Some(entries) = value.get("map") {
        Ok(DataType::Map(nested(entries)?, flag("ordered")))
    } else if let Some(fields) = value.get("struct").and_then(Value::as_array) {
        Ok(DataType::Struct(
            fields.iter().map(nested).collect::<Result<_, _>>()?,
        ))
    } else if let (Some(of), Some(index)) = (value.get("dictionary"), value.get("index")) {
        Ok(DataType::Dictionary(
            Box::new(type_from_json(index)?),
            Box::new(type_from_json(of)?),
        ))
    } else {
        Err(bad(&format!("an unknown type {value}")))
    }
}

fn sorted<'a>(metadata: impl Iterator<Item = (&'a String, &'a String)>) -> BTreeMap<String, String> {
    metadata.map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn bad(reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::BadManifest {
        path: "schema".to_owned(),
        reason: reason.to_string(),
    }
}

fn hashed(metadata: BTreeMap<String, String>) -> HashMap<String, String> {
    metadata.into_iter().collect()
}
