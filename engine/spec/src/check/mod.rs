//! What a file says against what there is: operators, pipelines, steps, ports, parameters.

pub(crate) mod expressions;
pub(crate) mod graph;
pub(crate) mod order;
pub(crate) mod params;
mod pipelines;
pub(crate) mod ports;
pub(crate) mod schema;
mod steps;
mod triggers;

pub(crate) use steps::check_config;

use std::collections::HashSet;

use indexmap::IndexSet;

use crate::{
    diagnostic::{Diagnostic, Report, codes},
    model::{Dag, Pipeline, Step},
    read::{NameMap, OneOrMany},
    source::Source,
    yaml::Span,
};
use graph::{Graph, Reference, Target, World};

/// Checks a DAG and the pipelines that it uses.
pub(crate) fn check_dag(dag: &Dag, source: &Source, world: World<'_>, report: &mut Report) {
    let graph = Graph::of_dag(dag, source);
    triggers::check(dag, source, report);
    if pipelines::check_use(&graph, world, report) {
        Checker {
            world,
            report,
            checked: HashSet::new(),
        }
        .check_graph(&graph);
    }
}

/// Checks a pipeline and those that it uses.
pub(crate) fn check_pipeline(pipeline: &Pipeline, source: &Source, world: World<'_>, report: &mut Report) {
    let graph = Graph::of_pipeline(pipeline, source);
    if pipelines::check_use(&graph, world, report) {
        Checker {
            world,
            report,
            checked: HashSet::from([graph.name.to_owned()]),
        }
        .check_graph(&graph);
    }
}

struct Checker<'a, 'r> {
    world: World<'a>,
    report: &'r mut Report,
    /// Pipelines that were checked: each is once, however often it is used.
    checked: HashSet<String>,
}

impl<'a> Checker<'a, '_> {
    fn check_graph(&mut self, graph: &Graph<'a>) {
        if let Some(params) = graph.params {
            params::check_declarations(params, graph.source, self.report);
        }
        // Where something else is wrong, steps may have been lost by it.
        if graph.steps.names().next().is_none() && self.report.is_empty() {
            let message = "there are no steps";
            let hint = "Add one: a name, and below it `uses: OPERATOR`.";
            let span = crate::read::head(graph.source, graph.steps.span);
            self.report
                .error(graph.source, span, codes::MISSING_KEY, message)
                .hint = Some(hint.to_owned());
        }
        for (name, entry) in graph.steps.iter() {
            steps::check(self.world, graph, name, entry, self.report);
            expressions::check(graph, name, &entry.value, self.report);
        }
        self.check_cycles(graph);
        steps::check_published_names(graph, self.report);
        pipelines::check_outputs(self.world, graph, self.report);
        for (_, entry) in graph.steps.iter() {
            if let Target::Pipeline(inner) = self.world.target(&entry.value)
                && self.checked.insert(inner.name.to_owned())
            {
                self.check_graph(&inner);
            }
        }
    }

    fn check_cycles(&mut self, graph: &Graph<'_>) {
        let Err(circle) = order::topological(&dependencies(graph)) else {
            return;
        };
        let names: Vec<_> = circle.iter().filter_map(|index| graph.steps.at(*index)).collect();
        let Some((first, entry)) = names.first() else {
            return;
        };
        let mut path: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
        path.push(format!("`{first}`"));
        let message = match names.len() {
            1 => format!("the step `{first}` waits for itself"),
            _ => format!("steps wait for each other: {}", path.join(" → ")),
        };
        let mut diagnostic = Diagnostic::new(graph.source, entry.key_span, codes::CYCLE, message)
            .with_hint("Take one of the references in `in:`, `after:` or an expression away.");
        for (pair, (_, entry)) in names.iter().zip(names.iter().skip(1)) {
            diagnostic = diagnostic.with_label(
                graph.source,
                entry.key_span,
                format!("`{}` waits for this", pair.0),
            );
        }
        self.report.push(diagnostic);
    }
}

/// For each step the steps that it waits for, each once. References that lead nowhere are left out.
pub(crate) fn dependencies(graph: &Graph<'_>) -> Vec<Vec<usize>> {
    graph
        .steps
        .iter()
        .map(|(_, entry)| waits_for(graph, &entry.value))
        .collect()
}

fn waits_for(graph: &Graph<'_>, step: &Step) -> Vec<usize> {
    let mut found = IndexSet::new();
    let mut add = |name: &str| found.extend(graph.steps.index_of(name));
    for (_, entry) in step.inputs.iter().flat_map(NameMap::iter) {
        for text in &entry.value.values {
            if let Some(Reference::Step { step, .. }) = Reference::read(&text.value) {
                add(step);
            }
        }
    }
    for name in after(step) {
        add(name.0);
    }
    for (name, _) in expressions::steps_read(step) {
        add(&name);
    }
    found.into_iter().collect()
}

/// The names below `after:`, each with its place.
pub(crate) fn after(step: &Step) -> impl Iterator<Item = (&str, Span)> {
    let names = step
        .after
        .iter()
        .flat_map(|after: &OneOrMany<_>| after.values.iter());
    names.map(|name| (name.value.as_str(), name.span))
}
