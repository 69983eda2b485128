//! Files of a collection, and the small file that says which of them count.
//!
//! `index.json` names segments; replacing it by rename is the commit. A segment is three files that never change once
//! `index.json` names them: `NAME.vec` (rows of f32, little endian), `NAME.keys` (80 bytes a row, see `keys`) and
//! `NAME.rows` (the records as JSON). Rows deleted since are a bitmap in a file of its own, `NAME.dead.GENERATION`.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    StoreError, VersionId,
    vectors::{Metric, VectorError},
};

/// The format that this build writes.
const FORMAT: u32 = 1;

/// Longest `index.json` that is read: a few hundred bytes a segment, and there are few.
const LONGEST_INDEX: u64 = 8 << 20;

/// The file that a commit replaces.
const INDEX: &str = "index.json";

/// The content of `index.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Index {
    pub format: u32,
    /// Raised by every commit; part of the names of new files, so that no name is used twice.
    pub generation: u64,
    pub dimension: usize,
    pub metric: Metric,
    pub source: Option<VersionId>,
    pub segments: Vec<SegmentEntry>,
}

impl Default for Index {
    fn default() -> Self {
        let (metric, source, segments) = (Metric::Cosine, None, Vec::new());
        Self {
            format: FORMAT,
            generation: 0,
            dimension: 0,
            metric,
            source,
            segments,
        }
    }
}

/// A segment, with the sizes and hashes that its files must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SegmentEntry {
    pub name: String,
    pub rows: u64,
    pub record_bytes: u64,
    /// blake3 of the three files, in hex: vec, keys, rows.
    pub hashes: [String; 3],
    pub dead: Option<DeadEntry>,
}

impl SegmentEntry {
    /// Rows that are not deleted.
    pub fn live(&self) -> u64 {
        self.rows - self.dead.as_ref().map_or(0, |dead| dead.rows.min(self.rows))
    }
}

/// A bitmap of deleted rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DeadEntry {
    pub file: String,
    pub rows: u64,
    pub hash: String,
}

/// Tells one `index.json` from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

/// The folder of a collection.
#[derive(Debug, Clone)]
pub(super) struct Folder(pub PathBuf);

impl Folder {
    pub fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// Identity of the committed `index.json`; none where nothing was ever committed.
    pub fn stamp(&self) -> Result<Option<Stamp>, VectorError> {
        let path = self.path(INDEX);
        match fs::metadata(&path) {
            Ok(found) => {
                let modified = (found.mtime(), found.mtime_nsec());
                Ok(Some(Stamp {
                    inode: found.ino(),
                    modified,
                    size: found.len(),
                }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::file("read", &path, error).into()),
        }
    }

    /// Reads and checks `index.json`; an empty collection where there is none.
    pub fn read_index(&self) -> Result<Index, VectorError> {
        let path = self.path(INDEX);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Index::default()),
            Err(error) => return Err(StoreError::file("read", &path, error).into()),
        };
        let mut bytes = Vec::new();
        file.take(LONGEST_INDEX + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| StoreError::file("read", &path, e))?;
        if bytes.len() as u64 > LONGEST_INDEX {
            return Err(self.corrupt(format!("{INDEX} is longer than {LONGEST_INDEX} bytes")));
        }
        let index: Index = serde_json::from_slice(&bytes)
            .map_err(|e| self.corrupt(format!("{INDEX} does not parse: {e}")))?;
        self.check(&index)?;
        Ok(index)
    }

    /// Replaces `index.json`; once this returns, the change stands whatever happens.
    pub fn write_index(&self, index: &Index) -> Result<(), VectorError> {
        let (path, temporary) = (self.path(INDEX), self.path("index.json.new"));
        let bytes = serde_json::to_vec(index).map_err(StoreError::internal)?;
        let write = || -> io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            self.sync_names()?;
            fs::rename(&temporary, &path)?;
            self.sync_names()
        };
        write().map_err(|error| StoreError::file("write", &path, error).into())
    }

    /// Removes files of earlier commits and of changes that were never committed. Failing to is not an error: the next
    /// commit tries again.
    pub fn sweep(&self, index: &Index) {
        let keeps = |file: &str| {
            let of_segment = |s: &SegmentEntry| {
                s.dead.as_ref().is_some_and(|dead| dead.file == file)
                    || EXTENSIONS
                        .iter()
                        .any(|ext| file.strip_suffix(ext) == Some(s.name.as_str()))
            };
            !is_ours(file) || index.segments.iter().any(of_segment)
        };
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|file| !keeps(file)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    pub fn corrupt(&self, reason: impl Into<String>) -> VectorError {
        VectorError::Corrupt {
            collection: self.0.display().to_string(),
            reason: reason.into(),
        }
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }

    fn check(&self, index: &Index) -> Result<(), VectorError> {
        if index.format != FORMAT {
            return Err(self.corrupt(format!(
                "its format is {}, and this build reads {FORMAT}",
                index.format
            )));
        }
        let bad_file = |name: &str| !is_ours(name);
        for segment in &index.segments {
            let dead = segment.dead.as_ref();
            if segment.rows == 0
                || segment.rows > MOST_ROWS
                || bad_file(&format!("{}.vec", segment.name))
                || dead.is_some_and(|dead| bad_file(&dead.file) || dead.rows > segment.rows)
            {
                return Err(self.corrupt(format!(
                    "the segment `{}` is not well formed",
                    segment.name.escape_debug()
                )));
            }
        }
        if !index.segments.is_empty() && !(1..=MOST_VALUES).contains(&index.dimension) {
            return Err(self.corrupt(format!("its dimension is {}", index.dimension)));
        }
        Ok(())
    }
}

/// Most rows in a segment: row numbers are kept in 32 bits.
pub(super) const MOST_ROWS: u64 = u32::MAX as u64;

/// Longest vector.
pub(super) const MOST_VALUES: usize = 65_536;

/// Files of a segment, after its name.
pub(super) const EXTENSIONS: [&str; 3] = [".vec", ".keys", ".rows"];

/// Whether the name is one that this index gives to files: `s` and digits, then an extension. Anything else in the
/// folder is left alone, and nothing outside of the folder can be named.
fn is_ours(file: &str) -> bool {
    let Some((name, extension)) = file.split_once('.') else {
        return false;
    };
    let digits =
        |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    name.strip_prefix('s').is_some_and(digits)
        && (matches!(extension, "vec" | "keys" | "rows")
            || extension.strip_prefix("dead.").is_some_and(digits))
}

/// Makes the folder where it is missing.
pub(super) fn make(dir: &Path) -> Result<Folder, VectorError> {
    fs::create_dir_all(dir).map_err(|error| StoreError::file("create", dir, error))?;
    Ok(Folder(dir.to_owned()))
}
