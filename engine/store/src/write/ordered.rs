//! Rows without keys: kept in the order of writing, cut into parts at the same rows whatever batches they came in.

use arrow::{compute::BatchCoalescer, datatypes::SchemaRef, record_batch::RecordBatch};
use futures::{StreamExt, TryStreamExt, stream::FuturesOrdered};
use parquet::file::properties::WriterProperties;
use tokio::task::JoinHandle;

use super::{
    assemble::{StoredPart, store_all},
    encode::{self, EncodedPart, value_bytes},
};
use crate::{FeatureStore, StoreError};

/// Rows of one step; a part ends at a multiple of it.
const STEP: usize = 256;
/// Bytes of values at which a part ends.
const PART: u64 = 32 << 20;

/// Takes rows and stores full parts as it goes.
#[derive(Debug)]
pub(crate) struct Ordered {
    schema: SchemaRef,
    properties: WriterProperties,
    coalescer: BatchCoalescer,
    chunks: Vec<RecordBatch>,
    bytes: u64,
    parallel: usize,
    encoding: FuturesOrdered<JoinHandle<Result<EncodedPart, StoreError>>>,
    stored: Vec<StoredPart>,
}

impl Ordered {
    pub(crate) fn new(schema: SchemaRef, properties: WriterProperties, parallel: usize) -> Self {
        // Without the shortcut for large batches, which would move the cuts.
        let coalescer = BatchCoalescer::new(schema.clone(), STEP).with_biggest_coalesce_batch_size(None);
        let encoding = FuturesOrdered::new();
        Self {
            schema,
            properties,
            coalescer,
            chunks: Vec::new(),
            bytes: 0,
            parallel,
            encoding,
            stored: Vec::new(),
        }
    }

    /// Adds rows.
    pub(crate) async fn push(&mut self, store: &FeatureStore, batch: RecordBatch) -> Result<(), StoreError> {
        self.coalescer.push_batch(batch).map_err(StoreError::internal)?;
        self.drain(store).await
    }

    /// Stores the rest; the parts are in the order of the rows.
    pub(crate) async fn finish(mut self, store: &FeatureStore) -> Result<Vec<StoredPart>, StoreError> {
        self.coalescer
            .finish_buffered_batch()
            .map_err(StoreError::internal)?;
        self.drain(store).await?;
        self.cut();
        while !self.encoding.is_empty() {
            self.settle(store).await?;
        }
        Ok(self.stored)
    }

    async fn drain(&mut self, store: &FeatureStore) -> Result<(), StoreError> {
        while let Some(chunk) = self.coalescer.next_completed_batch() {
            self.bytes += value_bytes(&chunk);
            self.chunks.push(chunk);
            if self.bytes >= PART {
                self.cut();
            }
            while self.encoding.len() > self.parallel {
                self.settle(store).await?;
            }
        }
        Ok(())
    }

    /// Sends what there is to an encoder.
    fn cut(&mut self) {
        let chunks = std::mem::take(&mut self.chunks);
        self.bytes = 0;
        if !chunks.is_empty() {
            let (schema, properties) = (self.schema.clone(), self.properties.clone());
            let encode = move || encode::rows(&schema, &properties, &chunks);
            self.encoding.push_back(tokio::task::spawn_blocking(encode));
        }
    }

    /// Stores the oldest part that is being encoded.
    async fn settle(&mut self, store: &FeatureStore) -> Result<(), StoreError> {
        let Some(encoded) = self.encoding.try_next().await? else {
            return Ok(());
        };
        let parts = futures::stream::iter([encoded.map(|part| vec![part])]).boxed();
        self.stored.extend(store_all(&store.backend, parts).await?);
        Ok(())
    }
}
