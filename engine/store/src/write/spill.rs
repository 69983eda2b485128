//! Rows on their way to buckets: in memory up to a budget, above it in one temporary file, partitioned by key hash.
//!
//! The file has no name, so that nothing remains of it, whatever crashes.

use std::{
    fs::File,
    io::{BufWriter, Seek, Write},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::Arc,
};

use arrow::{
    buffer::Buffer,
    compute::interleave_record_batch,
    datatypes::SchemaRef,
    ipc::{reader::StreamDecoder, writer::StreamWriter},
    record_batch::RecordBatch,
};

use super::{
    encode::value_bytes,
    keys::{Keys, Place, bucket_of},
};
use crate::StoreError;

/// Partitions of one level; a power of two.
pub(crate) const PARTITIONS: usize = 64;
const BITS: u32 = PARTITIONS.trailing_zeros();

/// Rows in memory with their bucket hashes.
#[derive(Debug, Default)]
pub(crate) struct Buffered {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) hashes: Vec<Vec<u64>>,
    pub(crate) bytes: u64,
}

impl Buffered {
    pub(crate) fn push(&mut self, batch: RecordBatch, hashes: Vec<u64>) {
        self.bytes += value_bytes(&batch);
        self.batches.push(batch);
        self.hashes.push(hashes);
    }

    /// The places of the rows of each bucket for which `wanted` says yes, by bucket.
    pub(crate) fn places(&self, buckets: u32, wanted: impl Fn(u32) -> bool) -> Vec<(u32, Vec<Place>)> {
        let mut by_bucket = std::collections::BTreeMap::<u32, Vec<Place>>::new();
        for (batch, hashes) in self.hashes.iter().enumerate() {
            for (row, hash) in hashes.iter().enumerate() {
                let bucket = bucket_of(*hash, buckets);
                if wanted(bucket) {
                    by_bucket.entry(bucket).or_default().push((batch, row));
                }
            }
        }
        by_bucket.into_iter().collect()
    }
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    offset: u64,
    bytes: usize,
}

#[derive(Debug, Clone, Default)]
struct Partition {
    segments: Vec<Segment>,
    bytes: u64,
}

/// Rows in a temporary file, by bits of their key hash.
#[derive(Debug)]
pub(crate) struct Spill {
    schema: SchemaRef,
    file: BufWriter<File>,
    folder: PathBuf,
    partitions: Vec<Partition>,
    /// How many low bits of the hash earlier levels have used up.
    shift: u32,
    end: u64,
}

impl Spill {
    /// An empty one, its file in `folder`.
    pub(crate) fn new(schema: SchemaRef, folder: PathBuf, shift: u32) -> Result<Self, StoreError> {
        let file = tempfile::tempfile_in(&folder);
        let file = file.map_err(|error| StoreError::file("make a temporary file in", &folder, error))?;
        let partitions = vec![Partition::default(); PARTITIONS];
        Ok(Self {
            schema,
            file: BufWriter::with_capacity(1 << 20, file),
            folder,
            partitions,
            shift,
            end: 0,
        })
    }

    /// Moves rows from memory to the file.
    pub(crate) fn add(&mut self, rows: &Buffered) -> Result<(), StoreError> {
        let mut places = vec![Vec::<Place>::new(); PARTITIONS];
        for (batch, hashes) in rows.hashes.iter().enumerate() {
            for (row, hash) in hashes.iter().enumerate() {
                let partition = (hash >> self.shift) as usize & (PARTITIONS - 1);
                places[partition].push((batch, row));
            }
        }
        let batches: Vec<&RecordBatch> = rows.batches.iter().collect();
        for (partition, places) in places
            .into_iter()
            .enumerate()
            .filter(|(_, places)| !places.is_empty())
        {
            let gathered = interleave_record_batch(&batches, &places).map_err(StoreError::internal)?;
            self.append(partition, &gathered)?;
        }
        Ok(())
    }

    /// Ends writing, so that partitions can be read.
    pub(crate) fn seal(mut self) -> Result<Sealed, StoreError> {
        self.file.flush().map_err(|error| full(&self.folder, error))?;
        let file = self
            .file
            .into_inner()
            .map_err(|error| full(&self.folder, error.into_error()))?;
        let Self {
            schema,
            folder,
            partitions,
            shift,
            ..
        } = self;
        Ok(Sealed {
            schema,
            file,
            folder,
            partitions,
            shift,
        })
    }

    fn append(&mut self, partition: usize, batch: &RecordBatch) -> Result<(), StoreError> {
        let bytes = value_bytes(batch);
        let start = self.end;
        let mut writer =
            StreamWriter::try_new(&mut self.file, &self.schema).map_err(|e| ipc(&self.folder, e))?;
        writer
            .write(batch)
            .and_then(|()| writer.finish())
            .map_err(|e| ipc(&self.folder, e))?;
        drop(writer);
        self.end = self
            .file
            .stream_position()
            .map_err(|error| full(&self.folder, error))?;
        let target = &mut self.partitions[partition];
        target.segments.push(Segment {
            offset: start,
            bytes: usize::try_from(self.end - start).unwrap_or_default(),
        });
        target.bytes += bytes;
        Ok(())
    }
}

/// A finished spill: its partitions can be read in any order and by several threads.
#[derive(Debug)]
pub(crate) struct Sealed {
    schema: SchemaRef,
    file: File,
    folder: PathBuf,
    partitions: Vec<Partition>,
    shift: u32,
}

/// Partitions of a spill that are loaded together: whole buckets.
#[derive(Debug, Clone)]
pub(crate) struct SpillUnit {
    spill: Arc<Sealed>,
    partitions: Vec<usize>,
}

impl Sealed {
    /// The units for that many buckets, each at most `budget` bytes where the buckets allow it: partitions above it are
    /// partitioned again.
    pub(crate) fn units(
        self: &Arc<Self>,
        keys: &Keys,
        buckets: u32,
        budget: u64,
    ) -> Result<Vec<SpillUnit>, StoreError> {
        let left = (buckets >> self.shift).max(1) as usize;
        let groups = left.min(PARTITIONS);
        let mut units = Vec::new();
        for group in 0..groups {
            let partitions: Vec<usize> = (group..PARTITIONS)
                .step_by(groups)
                .filter(|p| !self.partitions[*p].segments.is_empty())
                .collect();
            let bytes: u64 = partitions.iter().map(|p| self.partitions[*p].bytes).sum();
            let unit = SpillUnit {
                spill: Arc::clone(self),
                partitions,
            };
            if bytes > budget && left > PARTITIONS {
                units.extend(unit.split(keys)?.units(keys, buckets, budget)?);
            } else if !unit.partitions.is_empty() {
                units.push(unit);
            }
        }
        Ok(units)
    }

    fn read(&self, segment: Segment) -> Result<Vec<RecordBatch>, StoreError> {
        let mut bytes = vec![0; segment.bytes];
        self.file
            .read_exact_at(&mut bytes, segment.offset)
            .map_err(|error| full(&self.folder, error))?;
        let mut buffer = Buffer::from_vec(bytes);
        let mut decoder = StreamDecoder::new();
        let mut batches = Vec::new();
        while !buffer.is_empty() {
            batches.extend(decoder.decode(&mut buffer).map_err(StoreError::internal)?);
        }
        Ok(batches)
    }
}

impl SpillUnit {
    /// Reads the unit's rows back.
    pub(crate) fn load(&self, keys: &Keys) -> Result<Buffered, StoreError> {
        let mut rows = Buffered::default();
        for segment in self
            .partitions
            .iter()
            .flat_map(|p| &self.spill.partitions[*p].segments)
        {
            for batch in self.spill.read(*segment)? {
                let hashes = keys.hashes(&batch)?;
                rows.push(batch, hashes);
            }
        }
        Ok(rows)
    }

    /// Partitions the unit's rows again, by the next bits.
    fn split(&self, keys: &Keys) -> Result<Arc<Sealed>, StoreError> {
        let spill = &self.spill;
        let mut next = Spill::new(
            Arc::clone(&spill.schema),
            spill.folder.clone(),
            spill.shift + BITS,
        )?;
        for segment in self
            .partitions
            .iter()
            .flat_map(|p| &spill.partitions[*p].segments)
        {
            let mut rows = Buffered::default();
            for batch in spill.read(*segment)? {
                let hashes = keys.hashes(&batch)?;
                rows.push(batch, hashes);
            }
            next.add(&rows)?;
        }
        next.seal().map(Arc::new)
    }
}

fn ipc(folder: &std::path::Path, error: arrow::error::ArrowError) -> StoreError {
    match error {
        arrow::error::ArrowError::IoError(_, error) => full(folder, error),
        other => StoreError::internal(other),
    }
}

fn full(folder: &std::path::Path, error: std::io::Error) -> StoreError {
    StoreError::file("use a temporary file in", folder, error)
}
