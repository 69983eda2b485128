//! What is the same for every use of a graph: worked out once.

use std::{collections::HashMap, rc::Rc};

use indexmap::IndexSet;

use super::{Expander, Outline};
use crate::{
    check::{
        self,
        graph::{Graph, Reference},
    },
    read::NameMap,
};

impl<'a> Expander<'a, '_> {
    pub(super) fn outline(&mut self, graph: &Graph<'a>) -> Option<Rc<Outline>> {
        let key = if graph.is_pipeline { graph.name } else { "" };
        if let Some(known) = self.outlines.get(key) {
            return Some(known.clone());
        }
        let dependencies = check::dependencies(graph);
        let mut awaited = vec![false; dependencies.len()];
        dependencies
            .iter()
            .flatten()
            .for_each(|index| awaited[*index] = true);
        // Circles were reported before.
        let order = check::order::topological(&dependencies).ok()?;
        let mut read: HashMap<String, IndexSet<String>> = HashMap::new();
        let inner = graph
            .steps
            .iter()
            .flat_map(|(_, entry)| entry.value.inputs.iter().flat_map(NameMap::iter));
        let inner = inner.flat_map(|(_, entry)| entry.value.values.iter());
        let outputs = graph
            .outputs
            .into_iter()
            .flat_map(NameMap::iter)
            .map(|(_, entry)| &entry.value);
        for text in inner.chain(outputs) {
            if let Some(Reference::Step { step, port }) = Reference::read(&text.value) {
                read.entry(step.to_owned()).or_default().insert(port.to_owned());
            }
        }
        let outline = Rc::new(Outline {
            order,
            dependencies,
            awaited,
            read,
        });
        self.outlines.insert(key.to_owned(), outline.clone());
        Some(outline)
    }
}
