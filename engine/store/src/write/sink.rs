//! Takes keyed rows in and hands them out by groups of buckets, in bounded memory.

use std::{path::PathBuf, sync::Arc};

use arrow::{datatypes::SchemaRef, record_batch::RecordBatch};
use tokio::task::JoinHandle;

use super::{
    keys::{Keys, Place},
    spill::{Buffered, Spill, SpillUnit},
};
use crate::StoreError;

/// Bytes of rows kept in memory before they are moved to a file.
pub(crate) const BUDGET: u64 = 64 << 20;
/// Bytes of rows that are sorted and encoded together.
const UNIT: u64 = 256 << 20;

/// Rows on their way in.
#[derive(Debug)]
pub(crate) struct Sink {
    schema: SchemaRef,
    keys: Keys,
    folder: PathBuf,
    budget: u64,
    memory: Buffered,
    spilling: Option<JoinHandle<Result<Spill, StoreError>>>,
    rows: u64,
    bytes: u64,
}

/// Rows of some whole buckets.
#[derive(Debug, Clone)]
pub(crate) enum Unit {
    /// All that was written, of which the buckets with this remainder are meant.
    Memory {
        rows: Arc<Buffered>,
        of: u32,
        remainder: u32,
    },
    /// Partitions of a file.
    File(SpillUnit),
}

impl Sink {
    pub(crate) fn new(schema: SchemaRef, keys: Keys, folder: PathBuf, budget: u64) -> Self {
        Self {
            schema,
            keys,
            folder,
            budget,
            memory: Buffered::default(),
            spilling: None,
            rows: 0,
            bytes: 0,
        }
    }

    /// Rows taken in.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of their values.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes + self.memory.bytes
    }

    /// Takes rows with their key hashes; at the budget, a thread moves them to the file while more come.
    pub(crate) async fn push(&mut self, batch: RecordBatch, hashes: Vec<u64>) -> Result<(), StoreError> {
        self.rows += batch.num_rows() as u64;
        self.memory.push(batch, hashes);
        if self.memory.bytes >= self.budget {
            self.spill().await
        } else {
            Ok(())
        }
    }

    /// The rows by groups of buckets, about `parallel` groups or more.
    pub(crate) async fn finish(mut self, buckets: u32, parallel: usize) -> Result<Vec<Unit>, StoreError> {
        if self.spilling.is_none() {
            let of = u32::try_from(parallel.next_power_of_two() * 4)
                .unwrap_or(64)
                .min(buckets);
            let rows = Arc::new(self.memory);
            return Ok((0..of)
                .map(|remainder| Unit::Memory {
                    rows: Arc::clone(&rows),
                    of,
                    remainder,
                })
                .collect());
        }
        self.spill().await?;
        let Some(spilling) = self.spilling.take() else {
            return Ok(Vec::new());
        };
        let spill = spilling.await??;
        let keys = self.keys;
        let units = move || Arc::new(spill.seal()?).units(&keys, buckets, UNIT);
        Ok(tokio::task::spawn_blocking(units)
            .await??
            .into_iter()
            .map(Unit::File)
            .collect())
    }

    async fn spill(&mut self) -> Result<(), StoreError> {
        let mut spill = match self.spilling.take() {
            Some(running) => running.await??,
            None => Spill::new(Arc::clone(&self.schema), self.folder.clone(), 0)?,
        };
        let rows = std::mem::take(&mut self.memory);
        self.bytes += rows.bytes;
        self.spilling = Some(tokio::task::spawn_blocking(move || {
            spill.add(&rows).map(|()| spill)
        }));
        Ok(())
    }
}

impl Unit {
    /// Runs `each` on every bucket of the unit that has rows, in their order. Blocks.
    pub(crate) fn for_each_bucket(
        &self,
        keys: &Keys,
        buckets: u32,
        mut each: impl FnMut(u32, &[RecordBatch], Vec<Place>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let loaded;
        let (rows, of, remainder) = match self {
            Self::Memory { rows, of, remainder } => (rows.as_ref(), *of, *remainder),
            Self::File(unit) => {
                loaded = unit.load(keys)?;
                (&loaded, 1, 0)
            }
        };
        for (bucket, places) in rows.places(buckets, |bucket| bucket % of == remainder) {
            each(bucket, &rows.batches, places)?;
        }
        Ok(())
    }
}
