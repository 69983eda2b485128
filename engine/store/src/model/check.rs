//! What a staged artifact or manifest must satisfy before anything is done with it: it may come from anywhere.

use super::{StagedDataset, StagedModel, schema_from_json};
use crate::{
    StoreError,
    backend::{check_blob, check_hash, check_relative},
};

/// More buckets than this would make manifests too large; beyond it the buckets grow.
pub(crate) const MAX_BUCKETS: u32 = 1 << 16;

impl StagedDataset {
    /// Says what cannot be right.
    pub(crate) fn check(&self) -> Result<(), String> {
        let schema = schema_from_json(&self.schema).map_err(text)?;
        check_hash(&self.content_hash).map_err(text)?;
        if let Some(key) = self.keys.iter().find(|key| schema.index_of(key).is_err()) {
            return Err(format!("key column `{key}` is not in the schema"));
        }
        let keyed = !self.keys.is_empty();
        if keyed && (!self.buckets.is_power_of_two() || self.buckets > MAX_BUCKETS) {
            return Err(format!("{} is not a number of buckets", self.buckets));
        }
        let (mut rows, mut bytes) = (0_u64, 0_u64);
        for part in &self.parts {
            check_blob(&part.blob).map_err(text)?;
            if keyed != part.bucket.is_some_and(|bucket| bucket < self.buckets) {
                return Err(format!(
                    "part {} is in no bucket of the {}",
                    part.blob.hash, self.buckets
                ));
            }
            if !part.columns.is_empty() && part.columns.len() != schema.fields().len() {
                return Err(format!("part {} has statistics of other columns", part.blob.hash));
            }
            rows = rows.checked_add(part.rows).ok_or("too many rows")?;
            bytes = bytes.checked_add(part.blob.bytes).ok_or("too many bytes")?;
        }
        if keyed && !self.parts.is_sorted_by(|a, b| a.bucket < b.bucket) {
            return Err("the parts are not in the order of their buckets".to_owned());
        }
        if rows != self.rows || bytes != self.bytes {
            return Err(format!(
                "the parts hold {rows} rows and {bytes} bytes, not {} and {}",
                self.rows, self.bytes
            ));
        }
        Ok(())
    }
}

impl StagedModel {
    /// Says what cannot be right.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_hash(&self.content_hash).map_err(text)?;
        for (path, blob) in &self.files {
            check_relative(path).map_err(text)?;
            check_blob(blob).map_err(text)?;
        }
        Ok(())
    }
}

fn text(error: StoreError) -> String {
    error.to_string()
}
