//! Writes the three files of a new segment, in bounded memory.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use super::{
    keys::Key,
    layout::{EXTENSIONS, Folder, MOST_ROWS, SegmentEntry},
    segment::StoredRecord,
};
use crate::{
    StoreError,
    vectors::{VectorError, VectorRecord},
};

/// Longest record without its vector.
const LONGEST_RECORD: usize = 16 << 20;

/// A segment being written. Nothing refers to its files until `index.json` does.
pub(super) struct SegmentWriter {
    name: String,
    folder: Folder,
    files: [Hashed; 3],
    rows: u64,
    record_bytes: u64,
}

impl SegmentWriter {
    /// Starts the files; whatever a crashed change left under the same names is replaced.
    pub fn new(folder: &Folder, name: String) -> Result<Self, VectorError> {
        let open = |extension: &str| {
            let path = folder.path(&format!("{name}{extension}"));
            Hashed::create(&path).map_err(|error| VectorError::from(StoreError::file("create", &path, error)))
        };
        let [vectors, keys, records] = EXTENSIONS;
        let files = [open(vectors)?, open(keys)?, open(records)?];
        Ok(Self {
            name,
            folder: folder.clone(),
            files,
            rows: 0,
            record_bytes: 0,
        })
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a record with its vector at unit length.
    pub fn add(&mut self, record: VectorRecord, unit: &[f32]) -> Result<Key, VectorError> {
        let place = Key::of(&record, 0, 0);
        let VectorRecord {
            id, entity, payload, ..
        } = record;
        let bytes =
            serde_json::to_vec(&StoredRecord { id, entity, payload }).map_err(StoreError::internal)?;
        if bytes.len() > LONGEST_RECORD {
            let reason = format!("{} bytes, and the bound is {LONGEST_RECORD}", bytes.len());
            return Err(VectorError::TooLarge {
                what: "a record's payload".to_owned(),
                reason,
            });
        }
        let vector: Vec<u8> = unit.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add_bytes(place, &vector, &bytes)
    }

    /// Adds a row as another segment holds it.
    pub fn add_bytes(&mut self, key: Key, vector: &[u8], record: &[u8]) -> Result<Key, VectorError> {
        if self.rows >= MOST_ROWS {
            let reason = format!("a segment holds at most {MOST_ROWS} rows");
            return Err(VectorError::TooLarge {
                what: self.folder.0.display().to_string(),
                reason,
            });
        }
        let key = Key {
            offset: self.record_bytes,
            length: record.len() as u64,
            ..key
        };
        let [vectors, keys, records] = &mut self.files;
        let mut write = || -> io::Result<()> {
            vectors.write_all(vector)?;
            keys.write_all(&key.to_bytes())?;
            records.write_all(record)
        };
        write().map_err(|error| self.failed(error))?;
        self.rows += 1;
        self.record_bytes += key.length;
        Ok(key)
    }

    /// Makes the files durable.
    pub fn finish(mut self) -> Result<SegmentEntry, VectorError> {
        let mut hashes = [const { String::new() }; 3];
        for (file, hash) in self.files.iter_mut().zip(&mut hashes) {
            match file.finish() {
                Ok(found) => *hash = found,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(SegmentEntry {
            name: self.name,
            rows: self.rows,
            record_bytes: self.record_bytes,
            hashes,
            dead: None,
        })
    }

    fn failed(&self, error: io::Error) -> VectorError {
        StoreError::file("write", &self.folder.path(&self.name), error).into()
    }
}

/// A file and the hash of what went into it.
struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
}

impl Hashed {
    fn create(path: &std::path::Path) -> io::Result<Self> {
        // Never cut a file that a reader may have mapped: it gets a new one under the name.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = File::options().write(true).create_new(true).open(path)?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 18, file),
            hasher: blake3::Hasher::new(),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }

    fn finish(&mut self) -> io::Result<String> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        Ok(self.hasher.finalize().to_hex().to_string())
    }
}
