//! How two versions of a dataset differ: only buckets whose parts differ are read.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
    sync::Arc,
};

use arrow::{
    array::{AsArray, StringArray},
    datatypes::SchemaRef,
    record_batch::RecordBatch,
    row::{RowConverter, Rows, SortField},
};
use futures::{StreamExt, TryStreamExt};

use super::part::PartFile;
use crate::{
    ChangeSummary, Diff, Part, StagedDataset, StoreError, backend::Backend, schema_from_json, write::parallel,
};

/// Entities that differ.
pub(crate) async fn diff(
    backend: &Arc<Backend>,
    from: &StagedDataset,
    to: &StagedDataset,
) -> Result<Diff, StoreError> {
    for side in [from, to] {
        if side.keys.is_empty() || side.keys != to.keys {
            let reason = "only versions with the same key columns can be compared".to_owned();
            let column = side.keys.first().cloned().unwrap_or_default();
            return Err(StoreError::KeyColumn {
                dataset: side.name.to_string(),
                column,
                reason,
            });
        }
    }
    let mut all = keyed(backend, from, to).await?;
    for list in [&mut all.added, &mut all.changed, &mut all.removed] {
        list.sort_unstable();
    }
    Ok(all)
}

/// How many differ: entities where both have the same keys, else rows of parts that the other has not.
pub(crate) async fn changes(
    backend: &Arc<Backend>,
    from: &StagedDataset,
    to: &StagedDataset,
) -> Result<ChangeSummary, StoreError> {
    if from.content_hash == to.content_hash {
        return Ok(ChangeSummary::default());
    }
    if to.keys.is_empty() || from.keys != to.keys {
        let other = |a: &StagedDataset, b: &StagedDataset| -> u64 {
            let known: HashSet<&str> = b.parts.iter().map(|part| part.blob.hash.as_str()).collect();
            a.parts
                .iter()
                .filter(|part| !known.contains(part.blob.hash.as_str()))
                .map(|part| part.rows)
                .sum()
        };
        return Ok(ChangeSummary {
            added: other(to, from),
            changed: 0,
            removed: other(from, to),
        });
    }
    let diff = keyed(backend, from, to).await?;
    let count = |list: &Vec<String>| list.len() as u64;
    Ok(ChangeSummary {
        added: count(&diff.added),
        changed: count(&diff.changed),
        removed: count(&diff.removed),
    })
}

/// Adds the entities that differ between rows before and after; both sorted by entity inside each batch.
pub(crate) fn rows_that_differ(
    before: (&SchemaRef, &[RecordBatch]),
    after: (&SchemaRef, &[RecordBatch]),
    key: &str,
    into: &mut Diff,
) -> Result<(), StoreError> {
    let comparable = before.0.fields() == after.0.fields();
    let old = Side::new(before.0, before.1, key, comparable)?;
    let new = Side::new(after.0, after.1, key, comparable)?;
    for (entity, places) in &new.entities {
        match old.entities.get(entity) {
            None => into.added.push((*entity).to_owned()),
            Some(others) if comparable && old.same(others, &new, places) => {}
            Some(_) => into.changed.push((*entity).to_owned()),
        }
    }
    into.removed.extend(
        old.entities
            .keys()
            .filter(|key| !new.entities.contains_key(*key))
            .map(|key| (*key).to_owned()),
    );
    Ok(())
}

async fn keyed(backend: &Arc<Backend>, from: &StagedDataset, to: &StagedDataset) -> Result<Diff, StoreError> {
    let schemas = (schema_from_json(&from.schema)?, schema_from_json(&to.schema)?);
    let same_schema = schemas.0.fields() == schemas.1.fields();
    let groups = from.buckets.min(to.buckets).max(1);
    let mut by_group = BTreeMap::<u32, (Vec<&Part>, Vec<&Part>)>::new();
    for part in &from.parts {
        by_group
            .entry(part.bucket.unwrap_or_default() % groups)
            .or_default()
            .0
            .push(part);
    }
    for part in &to.parts {
        by_group
            .entry(part.bucket.unwrap_or_default() % groups)
            .or_default()
            .1
            .push(part);
    }
    let hashes = |parts: &[&Part]| {
        parts
            .iter()
            .map(|part| part.blob.hash.clone())
            .collect::<Vec<_>>()
    };
    let cloned = |parts: Vec<&Part>| parts.into_iter().cloned().collect::<Vec<_>>();
    let differ = by_group
        .into_values()
        .filter(|(a, b)| !same_schema || hashes(a) != hashes(b));
    let differ: Vec<_> = differ.map(|(a, b)| (cloned(a), cloned(b))).collect();
    let owners = (format!("dataset {}", from.name), format!("dataset {}", to.name));
    let key = to.keys.first().cloned().unwrap_or_default();
    let compare = |(a, b): (Vec<Part>, Vec<Part>)| {
        let (backend, schemas, owners, key) =
            (Arc::clone(backend), schemas.clone(), owners.clone(), key.clone());
        async move {
            let before = open(&backend, &a, &owners.0).await?;
            let after = open(&backend, &b, &owners.1).await?;
            tokio::task::spawn_blocking(move || {
                let mut diff = Diff::default();
                let (before, after) = (load(&before, &schemas.0)?, load(&after, &schemas.1)?);
                rows_that_differ((&schemas.0, &before), (&schemas.1, &after), &key, &mut diff)?;
                Ok::<_, StoreError>(diff)
            })
            .await?
        }
    };
    let merge = |mut all: Diff, one: Diff| {
        all.added.extend(one.added);
        all.changed.extend(one.changed);
        all.removed.extend(one.removed);
        std::future::ready(Ok(all))
    };
    futures::stream::iter(differ)
        .map(compare)
        .buffered(parallel())
        .try_fold(Diff::default(), merge)
        .await
}

async fn open(backend: &Backend, parts: &[Part], owner: &str) -> Result<Vec<PartFile>, StoreError> {
    let mut files = Vec::with_capacity(parts.len());
    for part in parts {
        files.push(PartFile::open(backend, part, owner).await?);
    }
    Ok(files)
}

fn load(files: &[PartFile], schema: &SchemaRef) -> Result<Vec<RecordBatch>, StoreError> {
    let mut batches = Vec::new();
    for file in files {
        batches.extend(file.all(schema)?);
    }
    Ok(batches)
}

/// Rows of one side: where each entity's are, and all of them in a form that compares as bytes.
struct Side<'a> {
    entities: HashMap<&'a str, Vec<(usize, Range<usize>)>>,
    rows: Vec<Rows>,
}

impl<'a> Side<'a> {
    fn new(
        schema: &SchemaRef,
        batches: &'a [RecordBatch],
        key: &str,
        comparable: bool,
    ) -> Result<Self, StoreError> {
        let column = schema.index_of(key).map_err(StoreError::internal)?;
        let mut entities = HashMap::<&str, Vec<(usize, Range<usize>)>>::new();
        for (index, batch) in batches.iter().enumerate() {
            let keys: &StringArray = batch.column(column).as_string();
            let mut start = 0;
            for row in 1..=batch.num_rows() {
                if row == batch.num_rows() || keys.value(row) != keys.value(start) {
                    entities
                        .entry(keys.value(start))
                        .or_default()
                        .push((index, start..row));
                    start = row;
                }
            }
        }
        let mut rows = Vec::new();
        if comparable {
            let fields = schema
                .fields()
                .iter()
                .map(|field| SortField::new(field.data_type().clone()))
                .collect();
            let converter = RowConverter::new(fields).map_err(StoreError::internal)?;
            for batch in batches {
                rows.push(
                    converter
                        .convert_columns(batch.columns())
                        .map_err(StoreError::internal)?,
                );
            }
        }
        Ok(Self { entities, rows })
    }

    fn same(
        &self,
        places: &[(usize, Range<usize>)],
        other: &Side<'_>,
        others: &[(usize, Range<usize>)],
    ) -> bool {
        fn count(places: &[(usize, Range<usize>)]) -> usize {
            places.iter().map(|(_, range)| range.len()).sum()
        }
        fn rows<'s>(
            side: &'s Side<'_>,
            places: &'s [(usize, Range<usize>)],
        ) -> impl Iterator<Item = &'s [u8]> {
            places
                .iter()
                .flat_map(|(batch, range)| range.clone().map(|row| side.rows[*batch].row(row).data()))
        }
        count(places) == count(others) && rows(self, places).eq(rows(other, others))
    }
}
