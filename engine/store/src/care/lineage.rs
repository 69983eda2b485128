//! What a version was made from, and what was made from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::TryStreamExt;
use jiff::Timestamp;

use super::{Lineage, LineageEdge, LineageNode};
use crate::{ArtifactKind, FeatureStore, InputVersion, Producer, StoreError, VersionId};

/// What lineage needs of a manifest.
struct Made {
    node: LineageNode,
    from: Vec<(LineageNode, String)>,
}

pub(crate) async fn lineage(
    store: &FeatureStore,
    kind: ArtifactKind,
    id: &VersionId,
) -> Result<Lineage, StoreError> {
    match kind {
        ArtifactKind::Dataset => drop(store.dataset_exact(id).await?),
        ArtifactKind::Model => drop(store.model_exact(id).await?),
    }
    let mut nodes = HashMap::new();
    let mut edges = BTreeSet::new();
    let mut add = |made: Made| {
        for (input, port) in made.from {
            edges.insert(LineageEdge {
                from: input.key.clone(),
                to: made.node.key.clone(),
                port,
            });
            nodes.entry(input.key.clone()).or_insert(input);
        }
        // Over what another manifest said of it: this is its own.
        nodes.insert(made.node.key.clone(), made.node);
    };
    let mut datasets = store.all_datasets();
    while let Some(manifest) = datasets.try_next().await? {
        let own = node(
            ArtifactKind::Dataset,
            manifest.id(),
            Some(manifest.created_at),
            Some(&manifest.data.producer),
        );
        add(Made {
            node: own,
            from: inputs(&manifest.data.inputs),
        });
    }
    let mut models = store.all_models();
    while let Some(manifest) = models.try_next().await? {
        let own = node(
            ArtifactKind::Model,
            manifest.id(),
            Some(manifest.created_at),
            Some(&manifest.data.producer),
        );
        let mut from = inputs(&manifest.data.inputs);
        from.extend(
            manifest
                .data
                .base
                .clone()
                .map(|base| (node(ArtifactKind::Model, base, None, None), "base".to_owned())),
        );
        add(Made { node: own, from });
    }
    let root = key(kind, id);
    let up = reach(
        &root,
        edges.iter().map(|edge| (edge.to.as_str(), edge.from.as_str())),
    );
    let down = reach(
        &root,
        edges.iter().map(|edge| (edge.from.as_str(), edge.to.as_str())),
    );
    let kept = |edge: &LineageEdge| {
        up.contains(&edge.from) && up.contains(&edge.to)
            || down.contains(&edge.from) && down.contains(&edge.to)
    };
    let edges: Vec<LineageEdge> = edges.iter().filter(|edge| kept(edge)).cloned().collect();
    let reached: BTreeSet<&String> = up.iter().chain(&down).collect();
    let nodes = reached
        .into_iter()
        .filter_map(|key| nodes.get(key).cloned())
        .collect();
    Ok(Lineage { root, nodes, edges })
}

/// All that can be reached along the pairs, the start included.
fn reach<'a>(start: &str, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeSet<String> {
    let mut next = BTreeMap::<&str, Vec<&str>>::new();
    for (from, to) in pairs {
        next.entry(from).or_default().push(to);
    }
    let mut reached = BTreeSet::from([start.to_owned()]);
    let mut open = vec![start.to_owned()];
    while let Some(key) = open.pop() {
        for to in next.get(key.as_str()).into_iter().flatten() {
            if reached.insert((*to).to_owned()) {
                open.push((*to).to_owned());
            }
        }
    }
    reached
}

fn inputs(inputs: &[InputVersion]) -> Vec<(LineageNode, String)> {
    inputs
        .iter()
        .map(|input| (node(input.kind, input.id.clone(), None, None), input.port.clone()))
        .collect()
}

fn node(
    kind: ArtifactKind,
    id: VersionId,
    created_at: Option<Timestamp>,
    producer: Option<&Producer>,
) -> LineageNode {
    LineageNode {
        key: key(kind, &id),
        kind,
        id,
        created_at,
        producer: producer.cloned(),
    }
}

fn key(kind: ArtifactKind, id: &VersionId) -> String {
    let word = match kind {
        ArtifactKind::Dataset => "dataset",
        ArtifactKind::Model => "model",
    };
    format!("{word}:{id}")
}
