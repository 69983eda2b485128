#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod corrupt;
mod index;
mod model;
mod sync;

use std::path::Path;

use serde_json::json;

use super::{EmbeddedIndex, VectorIndex, VectorRecord, open_embedded};
use crate::{Name, VersionId};

pub(super) fn version(number: u64) -> VersionId {
    VersionId {
        name: Name::new("embedded_chunks").unwrap(),
        version: number,
        hash: format!("hash{number}"),
    }
}

/// A small generator, so that tests are the same everywhere.
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn vector(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension)
            .map(|_| (self.next() % 2001) as f32 / 1000.0 - 1.0)
            .collect()
    }
}

pub(super) fn record(entity: &str, chunk: usize, vector: Vec<f32>) -> VectorRecord {
    let payload = json!({
        "category": if chunk.is_multiple_of(2) { "article" } else { "post" },
        "author": if entity.len().is_multiple_of(2) { "Ada" } else { "Bo" },
        "text": format!("{entity} {chunk}"),
    });
    VectorRecord {
        id: format!("{entity}#{chunk}"),
        entity: entity.to_owned(),
        vector,
        payload,
    }
}

/// A committed collection of `entities` with two records each.
pub(super) async fn filled(dir: &Path, entities: usize, dimension: usize) -> EmbeddedIndex {
    let index = open_embedded(dir).unwrap();
    let mut random = Random(7);
    let records = (0..entities * 2).map(|n| record(&format!("d{}", n / 2), n % 2, random.vector(dimension)));
    index.upsert(records.collect()).await.unwrap();
    index.commit(version(1)).await.unwrap();
    index
}
