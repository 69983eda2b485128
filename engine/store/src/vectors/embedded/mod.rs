//! The embedded index: exact search over memory-mapped files in a folder, without a server or a dependency.

mod bits;
mod change;
mod keys;
mod layout;
mod merge;
mod scan;
mod segment;
mod writer;

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use self::{
    change::Change,
    keys::KeyFilter,
    layout::{Folder, Index, SegmentEntry, Stamp},
    segment::Segment,
};
use super::{Filter, Hit, IndexState, VectorError, VectorIndex, VectorRecord};
use crate::VersionId;

/// Most hits of one search.
const MOST_HITS: usize = 10_000;

/// How often a collection that changes while it is opened is tried again.
const OPEN_TRIES: usize = 5;

/// A collection in a folder. Cheap to clone; many processes may read it while one writes.
#[derive(Clone)]
pub struct EmbeddedIndex {
    shared: Arc<Shared>,
}

/// Opens the collection in `dir`; the folder is made where it is missing, and is then an empty collection.
///
/// # Errors
/// `vectors.corrupt`, after which [`super::sync()`] builds it anew; `store.denied` and the like for the files.
pub fn open_embedded(dir: &Path) -> Result<EmbeddedIndex, VectorError> {
    let index = EmbeddedIndex::unchecked(dir)?;
    index.shared.snapshot()?;
    Ok(index)
}

impl EmbeddedIndex {
    /// Opens it without looking at what is there, to write it anew.
    pub(super) fn unchecked(dir: &Path) -> Result<Self, VectorError> {
        let folder = layout::make(dir)?;
        Ok(Self {
            shared: Arc::new(Shared {
                folder,
                seen: Mutex::new(None),
                change: Mutex::new(None),
            }),
        })
    }

    /// Reads every file and compares its hash: finds bits that flipped, which a search would not notice.
    ///
    /// # Errors
    /// `vectors.corrupt`, naming the file.
    pub async fn verify(&self) -> Result<(), VectorError> {
        self.blocking(|shared| shared.snapshot()?.segments.iter().try_for_each(Segment::verify))
            .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, VectorError> + Send + 'static,
    ) -> Result<T, VectorError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || work(&shared)).await?
    }
}

#[async_trait]
impl VectorIndex for EmbeddedIndex {
    async fn upsert(&self, records: Vec<VectorRecord>) -> Result<(), VectorError> {
        self.blocking(|shared| shared.change(|change| change.upsert(records)))
            .await
    }

    async fn delete_entities(&self, entities: &[String]) -> Result<(), VectorError> {
        let entities = entities.to_vec();
        self.blocking(move |shared| {
            shared.change(|change| {
                change.delete(&entities);
                Ok(())
            })
        })
        .await
    }

    async fn clear(&self) -> Result<(), VectorError> {
        self.blocking(|shared| {
            shared.change(|change| {
                change.clear();
                Ok(())
            })
        })
        .await
    }

    async fn discard(&self) -> Result<(), VectorError> {
        lock(&self.shared.change).take();
        Ok(())
    }

    async fn commit(&self, source: VersionId) -> Result<(), VectorError> {
        self.blocking(|shared| {
            let change = lock(&shared.change).take();
            let change = change.map_or_else(|| Change::begin(&shared.folder), Ok)?;
            let current = shared.snapshot();
            change.commit(
                current
                    .as_deref()
                    .map_err(|error| shared.folder.corrupt(error.to_string())),
                source,
            )
        })
        .await
    }

    async fn search(
        &self,
        query: &[f32],
        k: usize,
        filter: Option<&Filter>,
    ) -> Result<Vec<Hit>, VectorError> {
        let unit = unit(query).ok_or_else(|| VectorError::NotFinite {
            record: "the query".to_owned(),
        })?;
        let filter = filter.and_then(KeyFilter::new);
        self.blocking(move |shared| {
            shared
                .snapshot()?
                .search(&unit, k.min(MOST_HITS), filter.as_ref())
        })
        .await
    }

    async fn state(&self) -> Result<IndexState, VectorError> {
        self.blocking(|shared| Ok(shared.snapshot()?.state())).await
    }
}

struct Shared {
    folder: Folder,
    /// The last commit that was looked at, and how to tell it from the next.
    seen: Mutex<Option<(Option<Stamp>, Arc<Snapshot>)>>,
    change: Mutex<Option<Change>>,
}

impl Shared {
    /// What is committed now; opened anew only when another commit was made.
    fn snapshot(&self) -> Result<Arc<Snapshot>, VectorError> {
        let mut seen = lock(&self.seen);
        let mut stamp = self.folder.stamp()?;
        if let Some((known, snapshot)) = &*seen
            && *known == stamp
        {
            return Ok(Arc::clone(snapshot));
        }
        for _ in 1..OPEN_TRIES {
            match Snapshot::open(&self.folder) {
                Ok(snapshot) => return Ok(Arc::clone(&seen.insert((stamp, Arc::new(snapshot))).1)),
                // A commit beside us may have removed the files that the index.json we read had named.
                Err(error) => match self.folder.stamp()? {
                    now if now == stamp => return Err(error),
                    now => stamp = now,
                },
            }
        }
        Ok(Arc::clone(
            &seen.insert((stamp, Arc::new(Snapshot::open(&self.folder)?))).1,
        ))
    }

    fn change<T>(&self, work: impl FnOnce(&mut Change) -> Result<T, VectorError>) -> Result<T, VectorError> {
        let mut change = lock(&self.change);
        let begun = match change.take() {
            Some(begun) => begun,
            None => Change::begin(&self.folder)?,
        };
        work(change.insert(begun))
    }
}

/// What one commit holds, with its files open: a search runs on it whatever is committed meanwhile.
struct Snapshot {
    index: Index,
    segments: Vec<Segment>,
}

impl Snapshot {
    fn open(folder: &Folder) -> Result<Self, VectorError> {
        let index = folder.read_index()?;
        let open = |entry: &SegmentEntry| Segment::open(folder, entry, index.dimension);
        let segments = index.segments.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { index, segments })
    }

    fn search(&self, unit: &[f32], k: usize, filter: Option<&KeyFilter>) -> Result<Vec<Hit>, VectorError> {
        if k == 0 || self.segments.is_empty() {
            return Ok(Vec::new());
        }
        if unit.len() != self.index.dimension {
            return Err(VectorError::Dimension {
                want: self.index.dimension,
                got: unit.len(),
            });
        }
        let mut hits = Vec::new();
        for found in scan::best(&self.segments, unit, k, filter) {
            let segment = self.segments.get(found.segment);
            let Some((segment, key)) = segment.and_then(|segment| Some((segment, segment.key(found.row)?)))
            else {
                continue;
            };
            let record = segment.record(&key)?;
            hits.push(Hit {
                id: record.id,
                entity: record.entity,
                score: found.score,
                payload: record.payload,
            });
        }
        Ok(hits)
    }

    fn state(&self) -> IndexState {
        IndexState {
            backend: "embedded".to_owned(),
            source: self.index.source.clone(),
            count: self.index.segments.iter().map(SegmentEntry::live).sum(),
            dimension: self.index.dimension,
            metric: self.index.metric,
        }
    }
}

/// The vector at unit length; `None` where a value is not finite. The zero vector stays: it is similar to nothing.
fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let squares: f64 = vector
        .iter()
        .map(|value| f64::from(*value) * f64::from(*value))
        .sum();
    if !squares.is_finite() {
        return None;
    }
    let scale = if squares > 0.0 {
        squares.sqrt().recip()
    } else {
        0.0
    };
    Some(
        vector
            .iter()
            .map(|value| (f64::from(*value) * scale) as f32)
            .collect(),
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
