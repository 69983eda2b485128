//! A change that is being collected: new rows go to a segment of their own, deletions to bitmaps, and the commit puts
//! both in place at once.

use std::{
    collections::{HashMap, HashSet},
    fs::{File, TryLockError},
};

use super::{
    Snapshot,
    bits::Bits,
    keys::{Hash, Key, hash},
    layout::{Folder, Index, MOST_VALUES, SegmentEntry},
    merge,
    segment::{self, Segment},
    writer::SegmentWriter,
};
use crate::{
    StoreError, VersionId,
    vectors::{VectorError, VectorRecord},
};

/// What is to be changed. Memory: some 80 bytes a new row, 16 a deletion.
pub(super) struct Change {
    folder: Folder,
    /// Held until the change is committed or dropped; the system lets go of it when the process dies.
    _lock: File,
    generation: u64,
    dimension: usize,
    cleared: bool,
    new: Option<SegmentWriter>,
    new_keys: Vec<(Hash, Hash)>,
    new_dead: Bits,
    rows_of_ids: HashMap<Hash, usize>,
    gone_entities: HashSet<Hash>,
}

impl Change {
    /// Takes the collection's lock.
    pub fn begin(folder: &Folder) -> Result<Self, VectorError> {
        let path = folder.path("lock");
        let open = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path);
        let lock = open.map_err(|error| StoreError::file("open", &path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(VectorError::Busy {
                    collection: folder.0.display().to_string(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::file("lock", &path, error).into()),
        }
        // A corrupt collection can be written again from nothing, but only that: see `clear`.
        let index = folder.read_index();
        let index = index.unwrap_or_else(|_| Index {
            generation: unused_generation(folder),
            ..Index::default()
        });
        Ok(Self {
            folder: folder.clone(),
            _lock: lock,
            generation: index.generation + 1,
            dimension: index.dimension,
            cleared: false,
            new: None,
            new_keys: Vec::new(),
            new_dead: Bits::default(),
            rows_of_ids: HashMap::new(),
            gone_entities: HashSet::new(),
        })
    }

    pub fn upsert(&mut self, records: Vec<VectorRecord>) -> Result<(), VectorError> {
        for record in records {
            let unit = self.unit(&record)?;
            let writer = match &mut self.new {
                Some(writer) => writer,
                none => none.insert(SegmentWriter::new(
                    &self.folder,
                    format!("s{:012}", self.generation),
                )?),
            };
            let row = writer.rows() as usize;
            let key = writer.add(record, &unit)?;
            self.new_keys.push((key.id, key.entity));
            if let Some(replaced) = self.rows_of_ids.insert(key.id, row) {
                self.new_dead.set(replaced);
            }
        }
        Ok(())
    }

    pub fn delete(&mut self, entities: &[String]) {
        let gone: HashSet<Hash> = entities.iter().map(|entity| hash(entity)).collect();
        if self.new.is_some() {
            for (row, (id, _)) in self
                .new_keys
                .iter()
                .enumerate()
                .filter(|(_, (_, entity))| gone.contains(entity))
            {
                self.new_dead.set(row);
                self.rows_of_ids.remove(id);
            }
        }
        self.gone_entities.extend(gone);
    }

    pub fn clear(&mut self) {
        self.new = None;
        self.new_keys.clear();
        self.new_dead = Bits::default();
        self.rows_of_ids.clear();
        self.gone_entities.clear();
        self.dimension = 0;
        self.cleared = true;
    }

    /// Puts the change in place. `current` is what stood when the lock was taken; it is not asked after a `clear`.
    pub fn commit(
        mut self,
        current: Result<&Snapshot, VectorError>,
        source: VersionId,
    ) -> Result<(), VectorError> {
        let mut segments = Vec::new();
        if !self.cleared {
            for segment in &current?.segments {
                segments.extend(self.kept(segment)?);
            }
        }
        segments.extend(self.finished()?);
        let dimension = if segments.is_empty() { 0 } else { self.dimension };
        let mut index = Index {
            generation: self.generation,
            dimension,
            source: Some(source),
            segments,
            ..Index::default()
        };
        merge::merge(&self.folder, &mut index)?;
        self.folder.write_index(&index)?;
        self.folder.sweep(&index);
        Ok(())
    }

    /// The entry of a committed segment with the deletions of this change; none where no row is left.
    fn kept(&self, segment: &Segment) -> Result<Option<SegmentEntry>, VectorError> {
        let mut dead = segment.dead.clone();
        let is_gone =
            |key: &Key| self.rows_of_ids.contains_key(&key.id) || self.gone_entities.contains(&key.entity);
        if !(self.rows_of_ids.is_empty() && self.gone_entities.is_empty()) {
            let gone = segment.keys().enumerate().filter(|(_, key)| is_gone(key));
            gone.for_each(|(row, _)| dead.set(row));
        }
        let mut entry = segment.entry.clone();
        match dead.count() {
            all if all >= entry.rows => return Ok(None),
            count if count > entry.rows - entry.live() => {
                entry.dead = Some(segment::write_dead(
                    &self.folder,
                    &entry.name,
                    self.generation,
                    &dead,
                )?);
            }
            _ => {}
        }
        Ok(Some(entry))
    }

    /// The new segment, durable; none where nothing is left of it.
    fn finished(&mut self) -> Result<Option<SegmentEntry>, VectorError> {
        let Some(writer) = self.new.take() else {
            return Ok(None);
        };
        let mut entry = writer.finish()?;
        if self.new_dead.count() >= entry.rows {
            return Ok(None);
        }
        if self.new_dead.count() > 0 {
            let mut dead = Bits::new(entry.rows);
            (0..entry.rows as usize)
                .filter(|row| self.new_dead.get(*row))
                .for_each(|row| dead.set(row));
            entry.dead = Some(segment::write_dead(
                &self.folder,
                &entry.name,
                self.generation,
                &dead,
            )?);
        }
        Ok(Some(entry))
    }

    /// The record's vector at unit length, checked; the first one sets the collection's dimension.
    fn unit(&mut self, record: &VectorRecord) -> Result<Vec<f32>, VectorError> {
        let got = record.vector.len();
        if self.dimension == 0 {
            if !(1..=MOST_VALUES).contains(&got) {
                let reason = format!("{got} values, and 1 to {MOST_VALUES} are allowed");
                return Err(VectorError::TooLarge {
                    what: format!("the vector of {}", record.id),
                    reason,
                });
            }
            self.dimension = got;
        }
        if got != self.dimension {
            return Err(VectorError::Dimension {
                want: self.dimension,
                got,
            });
        }
        super::unit(&record.vector).ok_or_else(|| VectorError::NotFinite {
            record: record.id.clone(),
        })
    }
}

/// A generation above that of any file in the folder, for a collection whose `index.json` cannot be read.
fn unused_generation(folder: &Folder) -> u64 {
    let names = std::fs::read_dir(&folder.0).into_iter().flatten().flatten();
    let numbers = names.filter_map(|entry| {
        let name = entry.file_name();
        let (stem, rest) = name.to_str()?.split_once('.')?;
        let dead = rest
            .strip_prefix("dead.")
            .and_then(|digits| digits.parse().ok())
            .unwrap_or(0);
        Some(stem.strip_prefix('s')?.parse::<u64>().ok()?.max(dead))
    });
    numbers.max().unwrap_or(0)
}
