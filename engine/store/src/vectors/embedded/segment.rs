//! A committed segment: three mapped files whose sizes were checked, and the bitmap of its deleted rows.

use std::{
    fs::{self, File},
    io::{self, Read},
};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    bits::Bits,
    keys::{KEY_BYTES, Key},
    layout::{DeadEntry, EXTENSIONS, Folder, SegmentEntry},
};
use crate::{StoreError, vectors::VectorError};

/// A record as `.rows` holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredRecord {
    pub id: String,
    pub entity: String,
    pub payload: Value,
}

/// An open segment. Every access is bounds-checked, so that wrong files give errors and never a crash.
pub(super) struct Segment {
    pub entry: SegmentEntry,
    pub dead: Bits,
    folder: Folder,
    vectors: Mmap,
    keys: Mmap,
    records: Mmap,
}

impl Segment {
    /// Maps the files; sizes must be exactly those that rows and dimension come to.
    pub fn open(folder: &Folder, entry: &SegmentEntry, dimension: usize) -> Result<Self, VectorError> {
        let sizes = Self::sizes(entry, dimension);
        let [vectors, keys, records] = EXTENSIONS;
        let [vector_bytes, key_bytes, record_bytes] = sizes;
        let map =
            |extension: &str, size: Option<u64>| map(folder, &format!("{}{extension}", entry.name), size);
        Ok(Self {
            vectors: map(vectors, vector_bytes)?,
            keys: map(keys, key_bytes)?,
            records: map(records, record_bytes)?,
            dead: match &entry.dead {
                Some(dead) => read_dead(folder, entry, dead)?,
                None => Bits::new(entry.rows),
            },
            entry: entry.clone(),
            folder: folder.clone(),
        })
    }

    fn sizes(entry: &SegmentEntry, dimension: usize) -> [Option<u64>; 3] {
        let row = (dimension as u64).checked_mul(4);
        let vectors = row.and_then(|row| entry.rows.checked_mul(row));
        [
            vectors,
            entry.rows.checked_mul(KEY_BYTES as u64),
            Some(entry.record_bytes),
        ]
    }

    pub fn rows(&self) -> usize {
        self.entry.rows as usize
    }

    /// All vectors, as bytes of f32, little endian.
    pub fn vectors(&self) -> &[u8] {
        &self.vectors
    }

    /// All keys, in the order of rows.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.keys.as_chunks::<KEY_BYTES>().0.iter().map(Key::from_bytes)
    }

    pub fn key(&self, row: usize) -> Option<Key> {
        self.keys.as_chunks::<KEY_BYTES>().0.get(row).map(Key::from_bytes)
    }

    /// The record of a key, as its bytes.
    pub fn record_bytes(&self, key: &Key) -> Result<&[u8], VectorError> {
        let range = usize::try_from(key.offset)
            .ok()
            .zip(key.offset.checked_add(key.length))
            .and_then(|(start, end)| self.records.get(start..usize::try_from(end).ok()?));
        range.ok_or_else(|| self.corrupt("a key points outside of the records"))
    }

    pub fn record(&self, key: &Key) -> Result<StoredRecord, VectorError> {
        let record: StoredRecord = serde_json::from_slice(self.record_bytes(key)?)
            .map_err(|error| self.corrupt(format!("a record does not parse: {error}")))?;
        Ok(record)
    }

    /// Hashes all files; sizes alone do not show a flipped bit.
    pub fn verify(&self) -> Result<(), VectorError> {
        let files: [&[u8]; 3] = [&self.vectors, &self.keys, &self.records];
        for ((bytes, hash), extension) in files.into_iter().zip(&self.entry.hashes).zip(EXTENSIONS) {
            if blake3::hash(bytes).to_hex().as_str() != hash {
                return Err(self.corrupt(format!("the hash of {}{extension} is another", self.entry.name)));
            }
        }
        Ok(())
    }

    fn corrupt(&self, reason: impl Into<String>) -> VectorError {
        self.folder.corrupt(reason)
    }
}

fn map(folder: &Folder, file: &str, size: Option<u64>) -> Result<Mmap, VectorError> {
    let path = folder.path(file);
    let open = || -> io::Result<(File, u64)> {
        let opened = File::open(&path)?;
        let size = opened.metadata()?.len();
        Ok((opened, size))
    };
    let (opened, found) = open().map_err(|error| missing_or(folder, file, error))?;
    if size != Some(found) {
        return Err(folder.corrupt(format!(
            "{file} has {found} bytes, not {}",
            size.unwrap_or(u64::MAX)
        )));
    }
    // SAFETY: the mapping is only read, as plain bytes, of which every value is valid. Files of a segment are complete
    // before index.json names them and are never written or cut after that, only unlinked, which a mapping survives.
    #[expect(unsafe_code, reason = "mapping a file is unsafe by nature; see above")]
    let mapped = unsafe { Mmap::map(&opened) };
    mapped.map_err(|error| StoreError::file("map", &path, error).into())
}

fn read_dead(folder: &Folder, entry: &SegmentEntry, dead: &DeadEntry) -> Result<Bits, VectorError> {
    let path = folder.path(&dead.file);
    let mut bytes = Vec::new();
    let most = entry.rows.div_ceil(8) + 1;
    let file = File::open(&path).map_err(|error| missing_or(folder, &dead.file, error))?;
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| StoreError::file("read", &path, error))?;
    let hash = blake3::hash(&bytes);
    let bits = Bits::from_bytes(bytes, entry.rows);
    bits.filter(|bits| bits.count() == dead.rows && hash.to_hex().as_str() == dead.hash)
        .ok_or_else(|| folder.corrupt(format!("{} is not the list of deleted rows", dead.file)))
}

fn missing_or(folder: &Folder, file: &str, error: io::Error) -> VectorError {
    if error.kind() == io::ErrorKind::NotFound {
        return folder.corrupt(format!("{file} is missing"));
    }
    StoreError::file("read", &folder.path(file), error).into()
}

/// Writes a new bitmap of deleted rows.
pub(super) fn write_dead(
    folder: &Folder,
    name: &str,
    generation: u64,
    bits: &Bits,
) -> Result<DeadEntry, VectorError> {
    let file = format!("{name}.dead.{generation}");
    let path = folder.path(&file);
    let write = || fs::write(&path, bits.as_bytes()).and_then(|()| File::open(&path)?.sync_all());
    write().map_err(|error| StoreError::file("write", &path, error))?;
    Ok(DeadEntry {
        file,
        rows: bits.count(),
        hash: blake3::hash(bits.as_bytes()).to_hex().to_string(),
    })
}
