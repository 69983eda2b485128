//! One step: what it uses, its configuration, inputs and outputs.

mod inputs;
mod search;
mod variants;

use std::collections::HashMap;

use super::{
    after,
    graph::{Graph, Target, World},
    params,
    ports::{self, NoPort},
};
use crate::{
    OperatorSignature,
    diagnostic::{Diagnostic, Report, codes},
    model::{Step, scalars::is_label},
    read::{Entry, NameMap, did_you_mean},
    source::Source,
    yaml::{Data, Node, Span},
};

/// Reports what is wrong with a step, expressions and circles aside.
pub(super) fn check<'a>(
    world: World<'a>,
    graph: &Graph<'a>,
    name: &'a str,
    entry: &'a Entry<Step>,
    report: &mut Report,
) {
    let step = &entry.value;
    let mut cx = Context {
        world,
        graph,
        name,
        step,
        report,
    };
    cx.check_target();
    cx.check_with();
    cx.check_inputs();
    cx.check_outputs();
    cx.check_after();
    cx.check_variants();
}

/// Reports a port that does not exist.
pub(super) fn no_port(
    graph: &Graph<'_>,
    span: Span,
    what: &str,
    port: &str,
    missing: &NoPort<'_>,
    report: &mut Report,
) {
    let hint = did_you_mean(port, missing.known.iter().copied()).unwrap_or_else(|| {
        let known: Vec<_> = missing.known.iter().map(|name| format!("`{name}`")).collect();
        if known.is_empty() {
            format!("It has no {what}s.")
        } else {
            format!("It has {}.", known.join(", "))
        }
    });
    let message = format!("{} has no {what} `{port}`", missing.owner);
    report
        .error(graph.source, span, codes::UNKNOWN_PORT, message)
        .hint = Some(hint);
}

struct Context<'a, 'r> {
    world: World<'a>,
    graph: &'r Graph<'a>,
    name: &'a str,
    step: &'a Step,
    report: &'r mut Report,
}

impl<'a> Context<'a, '_> {
    fn error(&mut self, span: Span, code: &'static str, message: String) -> &mut Diagnostic {
        self.report.error(self.graph.source, span, code, message)
    }

    fn check_target(&mut self) {
        let uses = &self.step.uses;
        let is_pipeline = uses.starts_with("pipeline/");
        if !is_pipeline && self.world.catalog.operator(uses).is_none() {
            let names = self.world.catalog.names();
            let pipeline = self.world.library.entry(uses).is_some();
            let hint = if pipeline {
                format!(
                    "For the pipeline of that name write `uses: pipeline/{}`.",
                    uses.value
                )
            } else {
                did_you_mean(uses, names.iter().copied())
                    .unwrap_or_else(|| format!("There are {}.", names.join(", ")))
            };
            self.error(
                uses.span,
                codes::UNKNOWN_OPERATOR,
                format!("there is no operator `{}`", uses.value),
            )
            .hint = Some(hint);
        }
    }

    fn check_with(&mut self) {
        let with = self.step.with.as_ref();
        if let Some(with) = with
            && !matches!(with.data, Data::Map(_) | Data::Null)
        {
            self.error(
                with.span,
                codes::TYPE,
                format!("`with` must be a mapping, found {}", with.kind()),
            );
            return;
        }
        match self.world.target(self.step) {
            Target::Operator(operator) => check_config(
                operator,
                with,
                self.step.uses.span,
                self.graph.source,
                self.report,
            ),
            Target::Pipeline(inner) => self.check_pipeline_params(inner, with),
            Target::Unknown => {}
        }
    }

    fn check_pipeline_params(&mut self, inner: Graph<'a>, with: Option<&Node>) {
        let none = NameMap::default();
        let declared = inner.params.unwrap_or(&none);
        for pair in with.and_then(Node::as_map).unwrap_or_default() {
            match declared.get(&pair.key) {
                Some(spec) => {
                    let name = format!("with.{}", pair.key);
                    params::check(
                        &spec.schema(),
                        &pair.value,
                        &name,
                        codes::PARAM_VALUE,
                        self.graph.source,
                        self.report,
                    );
                }
                None if declared.is_broken(&pair.key) => {}
                None => {
                    let message = format!("the pipeline `{}` has no parameter `{}`", inner.name, pair.key);
                    let hint = declared.suggest(&pair.key, "parameters");
                    self.error(pair.key_span, codes::UNKNOWN_PARAM, message).hint = Some(hint);
                }
            }
        }
        for (name, entry) in declared.iter() {
            if entry.value.is_required() && with.is_none_or(|with| with.get(name).is_none()) {
                let message = format!("the pipeline `{}` needs the parameter `{name}`", inner.name);
                let hint = format!("Give it below `with:` of the step `{}`.", self.name);
                self.error(self.step.uses.span, codes::MISSING_PARAM, message)
                    .hint = Some(hint);
            }
        }
    }

    fn unknown_step(&mut self, span: Span, step: &str) {
        if !self.graph.steps.is_broken(step) {
            let hint = self.graph.steps.suggest(step, "steps");
            self.error(span, codes::UNKNOWN_STEP, format!("there is no step `{step}`"))
                .hint = Some(hint);
        }
    }

    fn check_outputs(&mut self) {
        for (port, entry) in self.step.outputs.iter().flat_map(NameMap::iter) {
            if let Err(missing) = ports::output(self.world, self.step, port) {
                no_port(self.graph, entry.key_span, "output", port, &missing, self.report);
            }
            let name = &entry.value;
            if !name.contains("${{") && !is_label(name) {
                self.error(
                    name.span,
                    codes::NAME,
                    format!("`{}` cannot name what is published", name.value),
                )
                .hint = Some("1 to 128 of `a-z 0-9 _ - .`, the first a letter or digit.".to_owned());
            }
        }
    }

    fn check_after(&mut self) {
        for (name, span) in after(self.step) {
            if self.graph.steps.get(name).is_none() {
                self.unknown_step(span, name);
            }
        }
    }
}

/// Reports configuration that does not fit an operator.
pub(crate) fn check_config(
    operator: &OperatorSignature,
    with: Option<&Node>,
    uses: Span,
    source: &Source,
    report: &mut Report,
) {
    let empty = Node {
        span: uses,
        data: Data::Map(Vec::new()),
    };
    let node = with.filter(|node| node.data != Data::Null).unwrap_or(&empty);
    for found in super::schema::check_schema(&operator.config_schema, node, "with") {
        // A key that is missing from the whole is shown where the operator is named: `with` may be long.
        let whole = found.span == node.span;
        let span = if whole { uses } else { found.span };
        let message = format!("the operator `{}`: {}", operator.name, found.message);
        let hint = found
            .hint
            .or_else(|| whole.then(|| format!("See `twinloom schema {}`.", operator.name)));
        report.error(source, span, codes::CONFIG, message).hint = hint;
    }
}

/// Reports names that two steps publish, so that each would hide the other's version.
pub(super) fn check_published_names(graph: &Graph<'_>, report: &mut Report) {
    let mut seen: HashMap<&str, (&str, Span)> = HashMap::new();
    for (name, entry) in graph
        .steps
        .iter()
        .filter(|(_, entry)| entry.value.condition.is_none())
    {
        for (_, output) in entry.value.outputs.iter().flat_map(NameMap::iter) {
            let text = &output.value;
            if text.contains("${{") {
                continue;
            }
            if let Some((other, first)) = seen.insert(&text.value, (name, text.span)) {
                let message = format!("`{}` is published by `{other}` and by `{name}`", text.value);
                report.push(
                    Diagnostic::new(graph.source, text.span, codes::DUPLICATE_OUTPUT, message)
                        .with_hint("Give each its own name.")
                        .with_label(graph.source, first, "first here"),
                );
            }
        }
    }
}
