//! Files to import: which they are, what columns they have, and their rows.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Seek},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    csv,
    datatypes::{DataType, Field, Schema, SchemaRef},
    error::ArrowError,
    ipc, json,
    record_batch::RecordBatch,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::json_lines::JsonLines;
use crate::StoreError;

/// Rows decoded at once.
const BATCH: usize = 1024;
const BUFFER: usize = 1 << 20;

/// Kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Parquet,
    Ipc,
    Json,
    Csv { delimiter: u8 },
}

/// A file to import.
#[derive(Debug, Clone)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    kind: Kind,
}

/// The rows of a file.
pub(super) type Rows = Box<dyn Iterator<Item = Result<RecordBatch, StoreError>>>;

/// The file, or the files of a folder (and its `data`), sorted by name; all of one kind.
pub(super) fn find(path: &Path) -> Result<Vec<SourceFile>, StoreError> {
    let meta = fs::metadata(path).map_err(|error| StoreError::file("read", path, error))?;
    let mut paths = if meta.is_dir() {
        files_in(path)?
    } else {
        vec![path.to_owned()]
    };
    if meta.is_dir() {
        let data = path.join("data");
        if data.is_dir() {
            paths.extend(files_in(&data)?);
        }
        paths.retain(|path| kind_of(path).is_some());
    }
    paths.sort();
    let sources = paths.into_iter().map(|path| match kind_of(&path) {
        Some(kind) => Ok(SourceFile { path, kind }),
        None => Err(refuse(
            &path,
            "its extension is none of parquet, arrow, ipc, feather, jsonl, ndjson, json, csv, tsv",
        )),
    });
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    match sources.as_slice() {
        [] => Err(refuse(path, "the folder holds no file that can be imported")),
        [first, rest @ ..] => match rest.iter().find(|other| other.kind != first.kind) {
            Some(other) => Err(refuse(
                &other.path,
                format!("it is of another kind than {}", first.path.display()),
            )),
            None => Ok(sources),
        },
    }
}

impl SourceFile {
    /// The file's columns: those it states, else those that fit all of its rows.
    pub(super) fn schema(&self) -> Result<Schema, StoreError> {
        match self.kind {
            Kind::Parquet => {
                let builder =
                    ParquetRecordBatchReaderBuilder::try_new(self.open()?).map_err(|e| self.refuse(e))?;
                Ok(Schema::new(builder.schema().fields().clone()))
            }
            Kind::Ipc => {
                let reader =
                    ipc::reader::FileReader::try_new(self.buffered()?, None).map_err(|e| self.refuse(e))?;
                Ok(reader.schema().as_ref().clone())
            }
            Kind::Json => self.json_schema(),
            Kind::Csv { delimiter } => {
                let format = csv::reader::Format::default()
                    .with_header(true)
                    .with_delimiter(delimiter);
                Ok(format
                    .infer_schema(self.text()?, None)
                    .map_err(|error| self.refuse(error))?
                    .0)
            }
        }
    }

    /// The rows, under the columns given where the file does not state its own. Blocks.
    pub(super) fn rows(&self, schema: &SchemaRef) -> Result<Rows, StoreError> {
        let path = self.path.clone();
        let mut row = 0_usize;
        let mut place = move |result: Result<RecordBatch, ArrowError>| match result {
            Ok(batch) => {
                row += batch.num_rows();
                Ok(batch)
            }
            Err(error) => Err(refuse(&path, format!("after row {row}: {error}"))),
        };
        let schema = Arc::clone(schema);
        Ok(match self.kind {
            Kind::Parquet => {
                let builder =
                    ParquetRecordBatchReaderBuilder::try_new(self.open()?).map_err(|e| self.refuse(e))?;
                let reader = builder
                    .with_batch_size(BATCH)
                    .build()
                    .map_err(|error| self.refuse(error))?;
                Box::new(reader.map(place))
            }
            Kind::Ipc => {
                let reader = ipc::reader::FileReader::try_new(self.buffered()?, None);
                Box::new(reader.map_err(|error| self.refuse(error))?.map(place))
            }
            Kind::Json => {
                let lines = BufReader::with_capacity(BUFFER, JsonLines::new(self.text()?));
                let builder = json::ReaderBuilder::new(schema)
                    .with_batch_size(BATCH)
                    .with_strict_mode(true);
                Box::new(
                    builder
                        .build(lines)
                        .map_err(|error| self.refuse(error))?
                        .map(place),
                )
            }
            Kind::Csv { delimiter } => {
                let builder = csv::ReaderBuilder::new(schema)
                    .with_header(true)
                    .with_delimiter(delimiter);
                let mut reader = builder
                    .with_batch_size(BATCH)
                    .build_buffered(self.text()?)
                    .map_err(|error| self.refuse(error))?;
                Box::new(std::iter::from_fn(move || reader.next().map(&mut place)))
            }
        })
    }

    pub(super) fn refuse(&self, reason: impl std::fmt::Display) -> StoreError {
        refuse(&self.path, reason)
    }

    /// Columns in the order of the first object, and what later ones add by name.
    fn json_schema(&self) -> Result<Schema, StoreError> {
        let lines = BufReader::with_capacity(BUFFER, JsonLines::new(self.text()?));
        let (schema, _) = json::reader::infer_json_schema(lines, None).map_err(|error| self.refuse(error))?;
        let mut lines = BufReader::with_capacity(BUFFER, JsonLines::new(self.text()?));
        let mut line = String::new();
        while line.trim().is_empty() {
            if lines.read_line(&mut line).map_err(|error| self.refuse(error))? == 0 {
                break;
            }
        }
        let first: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&line).unwrap_or_default();
        let order = |field: &Field| {
            first
                .keys()
                .position(|key| key == field.name())
                .unwrap_or(usize::MAX)
        };
        // A column of nulls alone, or of empty lists, says nothing of its type: text is what it can become.
        let mut fields: Vec<Field> = schema.fields().iter().map(|field| typed(field)).collect();
        fields.sort_by(|a, b| (order(a), a.name()).cmp(&(order(b), b.name())));
        Ok(Schema::new(fields))
    }

    fn open(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(|error| StoreError::file("read", &self.path, error))
    }

    fn buffered(&self) -> Result<BufReader<File>, StoreError> {
        Ok(BufReader::with_capacity(BUFFER, self.open()?))
    }

    /// The file without a byte order mark.
    fn text(&self) -> Result<BufReader<File>, StoreError> {
        let mut file = self.open()?;
        let mut start = [0; 3];
        let mark = file.read_exact(&mut start).is_ok() && start == [0xEF, 0xBB, 0xBF];
        if !mark {
            file.rewind()
                .map_err(|error| StoreError::file("read", &self.path, error))?;
        }
        Ok(BufReader::with_capacity(BUFFER, file))
    }
}

fn typed(field: &Field) -> Field {
    let data_type = match field.data_type() {
        DataType::Null => DataType::Utf8,
        DataType::List(item) => DataType::List(Arc::new(typed(item))),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(|field| typed(field)).collect()),
        other => other.clone(),
    };
    field.clone().with_data_type(data_type)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |error| StoreError::file("read", folder, error);
    let entries = fs::read_dir(folder)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    Ok(entries
        .into_iter()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect())
}

fn kind_of(path: &Path) -> Option<Kind> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "parquet" => Some(Kind::Parquet),
        "arrow" | "ipc" | "feather" => Some(Kind::Ipc),
        "jsonl" | "ndjson" | "json" => Some(Kind::Json),
        "csv" => Some(Kind::Csv { delimiter: b',' }),
        "tsv" => Some(Kind::Csv { delimiter: b'\t' }),
        _ => None,
    }
}

fn refuse(path: &Path, reason: impl std::fmt::Display) -> StoreError {
    StoreError::Import {
        path: path.display().to_string(),
        reason: reason.to_string(),
    }
}
