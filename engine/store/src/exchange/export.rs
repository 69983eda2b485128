//! A version as a folder for other tools.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use arrow::{
    datatypes::SchemaRef,
    ipc::writer::FileWriter,
    json::{WriterBuilder, writer::LineDelimited},
    record_batch::RecordBatch,
};
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use serde::{Deserialize, Serialize};

use super::card;
use crate::{
    DatasetManifest, FeatureStore, ReadOptions, StoreError, schema_from_json, write::value_bytes,
    writer_properties,
};

/// Bytes of values in one Parquet file.
const SHARD: u64 = 512 << 20;

/// What an export is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// `data/*.parquet` and a Hugging Face dataset card, `README.md`.
    Parquet,
    /// `data.jsonl`: one JSON object a line.
    Jsonl,
    /// `data.arrow`: an Arrow IPC file.
    ArrowIpc,
}

/// What an export wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// The data files, in the order of the rows, and the card.
    pub files: Vec<PathBuf>,
    /// Rows in them.
    pub rows: u64,
}

pub(crate) async fn export(
    store: &FeatureStore,
    manifest: &DatasetManifest,
    format: ExportFormat,
    dir: &Path,
) -> Result<ExportReport, StoreError> {
    let schema = schema_from_json(&manifest.data.schema)?;
    let mut output = Output::new(format, dir, schema)?;
    let mut rows = store.read(manifest, ReadOptions::default());
    let mut count = 0;
    while let Some(batch) = rows.try_next().await? {
        count += batch.num_rows() as u64;
        output = tokio::task::spawn_blocking(move || output.write(&batch).map(|()| output)).await??;
    }
    let mut files = tokio::task::spawn_blocking(move || output.finish()).await??;
    if format == ExportFormat::Parquet {
        let path = dir.join("README.md");
        fs::write(&path, card::render(manifest)?).map_err(|error| StoreError::file("write", &path, error))?;
        files.push(path);
    }
    Ok(ExportReport { files, rows: count })
}

/// The file being written, and those that are done.
struct Output {
    format: ExportFormat,
    dir: PathBuf,
    schema: SchemaRef,
    open: Option<(PathBuf, Encoder)>,
    bytes: u64,
    files: Vec<PathBuf>,
}

enum Encoder {
    Parquet(Box<ArrowWriter<BufWriter<File>>>),
    Jsonl(Box<arrow::json::Writer<BufWriter<File>, LineDelimited>>),
    Ipc(Box<FileWriter<BufWriter<File>>>),
}

impl Output {
    fn new(format: ExportFormat, dir: &Path, schema: SchemaRef) -> Result<Self, StoreError> {
        let folder = if format == ExportFormat::Parquet {
            dir.join("data")
        } else {
            dir.to_owned()
        };
        fs::create_dir_all(&folder).map_err(|error| StoreError::file("make the folder", &folder, error))?;
        let mut output = Self {
            format,
            dir: folder,
            schema,
            open: None,
            bytes: 0,
            files: Vec::new(),
        };
        if format == ExportFormat::Parquet {
            // Files of an earlier export would be read as part of this one.
            let mut entries =
                fs::read_dir(&output.dir).map_err(|error| StoreError::file("read", &output.dir, error))?;
            if entries.next().is_some() {
                let taken = io::Error::new(io::ErrorKind::AlreadyExists, "the folder is not empty");
                return Err(StoreError::file("export to", &output.dir, taken));
            }
        }
        output.begin()?;
        Ok(output)
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        if self.format == ExportFormat::Parquet && self.bytes > SHARD {
            self.end()?;
            self.begin()?;
        }
        self.bytes += value_bytes(batch);
        let Some((path, encoder)) = &mut self.open else {
            return Err(StoreError::internal("an export without a file"));
        };
        match encoder {
            Encoder::Parquet(writer) => writer.write(batch).map_err(|error| failed(path, error.into())),
            Encoder::Jsonl(writer) => writer
                .write(&super::printable(batch)?)
                .map_err(|error| failed(path, error)),
            Encoder::Ipc(writer) => writer.write(batch).map_err(|error| failed(path, error)),
        }
    }

    fn finish(mut self) -> Result<Vec<PathBuf>, StoreError> {
        self.end()?;
        Ok(self.files)
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        let path = self.dir.join(match self.format {
            ExportFormat::Parquet => format!("part-{:05}.parquet", self.files.len()),
            ExportFormat::Jsonl => "data.jsonl".to_owned(),
            ExportFormat::ArrowIpc => "data.arrow".to_owned(),
        });
        let file = File::create(&path).map_err(|error| StoreError::file("write", &path, error))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        let encoder = match self.format {
            ExportFormat::Parquet => {
                let properties = writer_properties(&self.schema)?;
                let writer = ArrowWriter::try_new(file, self.schema.clone(), Some(properties));
                Encoder::Parquet(Box::new(writer.map_err(|error| failed(&path, error.into()))?))
            }
            ExportFormat::Jsonl => Encoder::Jsonl(Box::new(
                WriterBuilder::new().with_explicit_nulls(true).build(file),
            )),
            ExportFormat::ArrowIpc => {
                let writer = FileWriter::try_new(file, &self.schema).map_err(|error| failed(&path, error))?;
                Encoder::Ipc(Box::new(writer))
            }
        };
        self.open = Some((path, encoder));
        self.bytes = 0;
        Ok(())
    }

    fn end(&mut self) -> Result<(), StoreError> {
        let Some((path, encoder)) = self.open.take() else {
            return Ok(());
        };
        let file = match encoder {
            Encoder::Parquet(writer) => writer.into_inner().map_err(|error| failed(&path, error.into()))?,
            Encoder::Jsonl(mut writer) => {
                writer.finish().map_err(|error| failed(&path, error))?;
                writer.into_inner()
            }
            Encoder::Ipc(writer) => writer.into_inner().map_err(|error| failed(&path, error))?,
        };
        let file = file
            .into_inner()
            .map_err(|error| StoreError::file("write", &path, error.into_error()))?;
        let mut file = file;
        file.flush()
            .map_err(|error| StoreError::file("write", &path, error))?;
        self.files.push(path);
        Ok(())
    }
}

fn failed(path: &Path, error: arrow::error::ArrowError) -> StoreError {
    use arrow::error::ArrowError;
    match error {
        ArrowError::IoError(_, error) => StoreError::file("write", path, error),
        ArrowError::ExternalError(error) => match error.downcast::<io::Error>() {
            Ok(error) => StoreError::file("write", path, *error),
            Err(error) => StoreError::file("write", path, io::Error::other(error)),
        },
        other => StoreError::file("write", path, io::Error::other(other)),
    }
}
