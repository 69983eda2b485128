//! The JSON Schemas of the files, for editors and forms.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

use crate::{Dag, Pipeline};

/// The JSON Schema of DAG files; checked in as `schema/dag.schema.json`.
#[must_use]
pub fn json_schema() -> Value {
    generate::<Dag>()
}

/// The JSON Schema of pipeline files; checked in as `schema/pipeline.schema.json`.
#[must_use]
pub fn pipeline_json_schema() -> Value {
    generate::<Pipeline>()
}

fn generate<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>()
        .into()
}
