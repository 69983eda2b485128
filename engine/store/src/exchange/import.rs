//! Rows of files as a staged dataset, in bounded memory.

use std::{path::Path, sync::Arc};

use arrow::{
    array::new_null_array,
    compute::{CastOptions, cast_with_options},
    datatypes::{DataType, Field, Schema, SchemaRef},
    record_batch::RecordBatch,
};
use tokio::sync::mpsc;

use super::sources::{self, SourceFile};
use crate::{FeatureStore, StageDataset, StagedDataset, StoreError};

pub(crate) async fn import(
    store: &FeatureStore,
    mut spec: StageDataset,
    path: &Path,
) -> Result<StagedDataset, StoreError> {
    let (path, given, keys) = (path.to_owned(), Arc::clone(&spec.schema), spec.keys.clone());
    let prepare = move || {
        let files = sources::find(&path)?;
        let schema = if given.fields().is_empty() {
            Arc::new(inferred(&files, &keys)?)
        } else {
            given
        };
        Ok::<_, StoreError>((files, schema))
    };
    let (files, schema) = tokio::task::spawn_blocking(prepare).await??;
    spec.schema = Arc::clone(&schema);
    let mut writer = store.dataset_writer(spec);
    let (sender, mut receiver) = mpsc::channel(2);
    let reading = tokio::task::spawn_blocking(move || read(&files, &schema, &sender));
    while let Some(batch) = receiver.recv().await {
        writer.write(batch).await?;
    }
    // The rows before a bad one were written already; without a commit nothing sees them.
    reading.await??;
    writer.finish().await
}

/// The columns that fit all files, with the first key as text.
fn inferred(files: &[SourceFile], keys: &[String]) -> Result<Schema, StoreError> {
    let mut merged = Schema::empty();
    for file in files {
        let schema = file.schema()?;
        merged = Schema::try_merge([merged, schema]).map_err(|error| file.refuse(error))?;
    }
    if merged.fields().is_empty() {
        return Err(files.first().map_or_else(
            || StoreError::internal("no files"),
            |file| file.refuse("it has no columns"),
        ));
    }
    let field = |field: &Arc<Field>| {
        let data_type = match field.data_type() {
            _ if keys.first() == Some(field.name()) => DataType::Utf8,
            DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
            DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(data_type)
    };
    Ok(Schema::new(merged.fields().iter().map(field).collect::<Vec<_>>()))
}

fn read(
    files: &[SourceFile],
    schema: &SchemaRef,
    sender: &mpsc::Sender<RecordBatch>,
) -> Result<(), StoreError> {
    for file in files {
        for batch in file.rows(schema)? {
            let batch = shaped(batch?, schema).map_err(|reason| file.refuse(reason))?;
            if sender.blocking_send(batch).is_err() {
                // The writer failed and tells why.
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The batch under the dataset's schema: columns by name, types converted without loss of rows, absent ones null.
fn shaped(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, String> {
    if let Some(extra) = batch
        .schema()
        .fields()
        .iter()
        .find(|field| schema.index_of(field.name()).is_err())
    {
        return Err(format!("its column `{}` is not in the schema", extra.name()));
    }
    // A value that does not fit is an error, never a silent null.
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast_with_options(column, field.data_type(), &options)
                .map_err(|error| format!("column `{}`: {error}", field.name())),
            None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
            None => Err(format!("column `{}` is missing", field.name())),
        });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(Arc::clone(schema), columns).map_err(|error| error.to_string())
}
