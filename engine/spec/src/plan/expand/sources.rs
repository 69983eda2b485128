//! What flows into steps, and what their outputs are called.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::{Common, Done, Expander, Frame, Instance};
use crate::{
    PlannedInput,
    check::graph::{Graph, Reference},
    diagnostic::codes,
    expr::Scope,
    model::{Select, scalars::is_label},
    plan::{inputs, partial::Partial, search},
    read::NameMap,
    yaml::Span,
};

impl<'a> Expander<'a, '_> {
    /// The sources of every port.
    pub(super) fn inputs(
        &mut self,
        frame: &Frame<'a>,
        common: &Common<'_>,
        scope: &Scope,
    ) -> Option<IndexMap<String, Vec<PlannedInput>>> {
        let steps = |_: &str| None;
        let partial = Partial {
            scope,
            deferred: &frame.deferred,
            steps: &steps,
        };
        let mut found = IndexMap::new();
        for (port, entry) in common.entry.value.inputs.iter().flat_map(NameMap::iter) {
            let mut sources = Vec::new();
            for text in &entry.value.values {
                let filled = match partial.name(&text.value, text.span) {
                    Ok(filled) => filled,
                    Err(failure) => return self.expression_error(frame, failure),
                };
                match Reference::read(&filled) {
                    Some(Reference::Dataset(name)) => {
                        let reference = self.stored(frame, text.span, "dataset", name)?;
                        sources.push(PlannedInput::Dataset { reference });
                    }
                    Some(Reference::Model(name)) => {
                        let reference = self.stored(frame, text.span, "model", name)?;
                        sources.push(PlannedInput::Model { reference });
                    }
                    Some(Reference::Input(name)) => {
                        sources.extend(frame.inputs.get(name).into_iter().flatten().cloned());
                    }
                    Some(Reference::Step { step, port }) => {
                        match output(&frame.graph, common.dones, step, port) {
                            Some(outputs) => sources.extend(outputs),
                            None => {
                                let message = format!(
                                    "`{step}.{port}` cannot be selected: its variants give several artifacts"
                                );
                                return self.error(frame, text.span, codes::VARIANTS, message);
                            }
                        }
                    }
                    None => {
                        let message = format!("`{filled}` is not a reference");
                        return self.error(frame, text.span, codes::REFERENCE, message);
                    }
                }
            }
            if !sources.is_empty() {
                found.insert(port.to_owned(), sources);
            }
        }
        Some(found)
    }

    fn stored(&mut self, frame: &Frame<'a>, span: Span, what: &str, name: &str) -> Option<String> {
        let (base, version) = name.split_once('@').unwrap_or((name, "latest"));
        if is_label(base) && is_label(version) {
            return Some(format!("{base}@{version}"));
        }
        self.error(
            frame,
            span,
            codes::REFERENCE,
            format!("`{what}:{name}` is not a reference to a {what}"),
        )
    }

    /// Published names that the step states, by port.
    pub(super) fn out_names(
        &mut self,
        frame: &Frame<'a>,
        common: &Common<'_>,
        partial: &Partial<'_>,
    ) -> Option<HashMap<String, String>> {
        let mut names = HashMap::new();
        for (port, entry) in common.entry.value.outputs.iter().flat_map(NameMap::iter) {
            let text = &entry.value;
            let name = match partial.name(&text.value, text.span) {
                Ok(name) => name,
                Err(failure) => return self.expression_error(frame, failure),
            };
            if !is_label(&name) {
                let message = format!("`{name}` cannot name what is published");
                return self.error(frame, text.span, codes::NAME, message);
            }
            names.insert(port.to_owned(), name);
        }
        Some(names)
    }
}

/// The artifacts of `STEP.PORT`; `None` where they cannot be selected from.
pub(super) fn output(graph: &Graph<'_>, dones: &[Done], step: &str, port: &str) -> Option<Vec<PlannedInput>> {
    let index = graph.steps.index_of(step)?;
    let (done, spec) = (dones.get(index)?, graph.steps.get(step)?);
    let of = |instance: &Instance| match &instance.task {
        Some(task) => vec![PlannedInput::Task {
            task: task.clone(),
            port: port.to_owned(),
        }],
        None => instance.outputs.get(port).cloned().unwrap_or_default(),
    };
    match spec.select.as_ref().filter(|_| spec.is_varied()) {
        Some(select) if !done.fanned => {
            let Select { metric, goal, .. } = &select.value;
            let mut variants = Vec::new();
            for instance in &done.instances {
                let mut sources = of(instance);
                if sources.len() != 1 {
                    return None;
                }
                variants.push((sources.pop()?, instance.metric_task.clone()?));
            }
            inputs::select(variants, metric, *goal).map(|selected| vec![selected])
        }
        _ => Some(done.instances.iter().flat_map(of).collect()),
    }
}

/// `steps.NAME` as an expression over the tasks of the run: a task, the list of a step's tasks, or the best of them.
pub(super) fn step_expression(frame: &Frame<'_>, dones: &[Done], name: &str) -> Option<String> {
    let index = frame.graph.steps.index_of(name)?;
    let (done, step) = (dones.get(index)?, frame.graph.steps.get(name)?);
    let tasks: Vec<String> = done
        .instances
        .iter()
        .filter_map(|instance| instance.task.as_ref())
        .map(|task| format!("steps[{}]", Value::String(task.clone())))
        .collect();
    let list = || format!("[{}]", tasks.join(", "));
    match (&step.select, done.fanned) {
        (_, true) => Some(list()),
        (Some(select), false) if step.is_varied() => {
            let ids = done
                .instances
                .iter()
                .filter_map(|instance| instance.task.as_deref());
            Some(search::best_of(ids, &select.metric.value, select.goal))
        }
        _ => tasks.into_iter().next(),
    }
}
