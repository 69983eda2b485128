//! Pipelines that are used, and their outputs.

use std::collections::HashSet;

use super::{
    graph::{Graph, Reference, World},
    ports,
};
use crate::{
    diagnostic::{Report, codes},
    read::{NameMap, did_you_mean},
};

/// Pipelines inside pipelines.
const MAX_DEPTH: usize = 16;

/// Reports pipelines that do not exist, cannot be read, or use each other in a circle. Whether checks may follow
/// pipelines without end.
pub(super) fn check_use(graph: &Graph<'_>, world: World<'_>, report: &mut Report) -> bool {
    let mut walk = Walk {
        world,
        report,
        done: HashSet::new(),
        path: Vec::new(),
        finite: true,
    };
    if graph.is_pipeline {
        walk.path.push(graph.name.to_owned());
    }
    walk.visit(graph);
    walk.finite
}

struct Walk<'a, 'r> {
    world: World<'a>,
    report: &'r mut Report,
    done: HashSet<String>,
    path: Vec<String>,
    finite: bool,
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, graph: &Graph<'a>) {
        for (_, entry) in graph.steps.iter() {
            let uses = &entry.value.uses;
            let Some(name) = uses.strip_prefix("pipeline/") else {
                continue;
            };
            if let Some(at) = self.path.iter().position(|open| open == name) {
                let mut path: Vec<_> = self.path[at..].iter().map(|name| format!("`{name}`")).collect();
                path.push(format!("`{name}`"));
                let message = format!("pipelines use each other in a circle: {}", path.join(" → "));
                self.report
                    .error(graph.source, uses.span, codes::PIPELINE_CYCLE, message);
                self.finite = false;
            } else if self.path.len() >= MAX_DEPTH {
                let message = format!("pipelines use each other more than {MAX_DEPTH} levels deep");
                self.report
                    .error(graph.source, uses.span, codes::PIPELINE_CYCLE, message);
                self.finite = false;
            } else if let Some(inner) = self.world.library.entry(name) {
                if !self.done.contains(name) {
                    self.path.push(name.to_owned());
                    self.visit(&Graph::of_entry(inner));
                    self.path.pop();
                    self.done.insert(name.to_owned());
                }
            } else if let Some(broken) = self.world.library.broken(name) {
                if self.done.insert(name.to_owned()) {
                    broken
                        .0
                        .iter()
                        .cloned()
                        .for_each(|diagnostic| self.report.push(diagnostic));
                }
            } else {
                let names: Vec<_> = self.world.library.names().collect();
                let hint = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
                    format!("A file of the pipelines folder must say `kind: Pipeline` and `name: {name}`.")
                });
                let message = format!("there is no pipeline `{name}`");
                self.report
                    .error(graph.source, uses.span, codes::UNKNOWN_PIPELINE, message)
                    .hint = Some(hint);
            }
        }
    }
}

/// Reports outputs of a pipeline that lead nowhere.
pub(super) fn check_outputs(world: World<'_>, graph: &Graph<'_>, report: &mut Report) {
    for (name, entry) in graph.outputs.into_iter().flat_map(NameMap::iter) {
        let text = &entry.value;
        let Some(Reference::Step { step, port }) = Reference::read(&text.value) else {
            let message = format!("the output `{name}` must be `STEP.PORT`, found `{}`", text.value);
            report.error(graph.source, text.span, codes::REFERENCE, message);
            continue;
        };
        let Some(inner) = graph.steps.get(step) else {
            if !graph.steps.is_broken(step) {
                let message = format!("there is no step `{step}`");
                let hint = graph.steps.suggest(step, "steps");
                report
                    .error(graph.source, text.span, codes::UNKNOWN_STEP, message)
                    .hint = Some(hint);
            }
            continue;
        };
        if let Err(missing) = ports::output(world, inner, port) {
            super::steps::no_port(graph, text.span, "output", port, &missing, report);
        }
    }
}
