//! One step: what it uses, its configuration, inputs and outputs.

use std::collections::HashMap;

use super::{
    after,
    graph::{Graph, Reference, Target, World},
    params,
    ports::{self, NoPort},
};
use crate::{
    OperatorSignature, PortKind,
    diagnostic::{Diagnostic, Report, codes},
    model::{ForEach, Matrix, Step, scalars::is_label},
    read::{Entry, NameMap, Spanned, did_you_mean, identifier},
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

    fn check_inputs(&mut self) {
        let mut unknown = false;
        for (port, entry) in self.step.inputs.iter().flat_map(NameMap::iter) {
            let needs = match ports::needs(self.world, self.step, port) {
                Ok(needs) => needs,
                Err(missing) => {
                    no_port(self.graph, entry.key_span, "input", port, &missing, self.report);
                    unknown = true;
                    continue;
                }
            };
            let references = &entry.value.values;
            let mut many = references.len() > 1;
            for text in references {
                many |= self.check_reference(text, &needs);
            }
            if references.is_empty() {
                self.error(
                    entry.key_span,
                    codes::MISSING_INPUT,
                    format!("the input `{port}` gets nothing"),
                );
            }
            if let Some(single) = needs.iter().find(|need| !need.many).filter(|_| many) {
                let message = format!("{} takes one artifact, here are several", single.described);
                let hint =
                    "A step with `for_each`, or with `matrix` but no `select`, gives one for each task.";
                self.error(entry.key_span, codes::TOO_MANY_INPUTS, message).hint = Some(hint.to_owned());
            }
        }
        // An input of an unknown name is likely to be the one that is missing.
        if !unknown {
            self.check_missing_inputs();
        }
    }

    fn check_missing_inputs(&mut self) {
        let given = |port: &str| {
            self.step
                .inputs
                .as_ref()
                .is_some_and(|inputs| inputs.names().any(|name| name == port))
        };
        let missing: Vec<(String, PortKind)> = match self.world.target(self.step) {
            Target::Operator(operator) => operator
                .inputs
                .iter()
                .filter(|port| !port.optional && !given(&port.name))
                .map(|port| (port.name.clone(), port.kind))
                .collect(),
            Target::Pipeline(inner) => inner
                .inputs
                .into_iter()
                .flat_map(NameMap::iter)
                .filter(|(port, entry)| !entry.value.optional.unwrap_or(false) && !given(port))
                .map(|(port, entry)| (port.to_owned(), entry.value.kind.unwrap_or(PortKind::Dataset)))
                .collect(),
            Target::Unknown => Vec::new(),
        };
        for (port, kind) in missing {
            let example = match kind {
                PortKind::Dataset => "STEP.PORT` or `dataset:NAME@latest",
                PortKind::Model => "STEP.PORT` or `model:NAME@ALIAS",
            };
            let message = format!("the step `{}` needs the input `{port}`", self.name);
            self.error(self.step.uses.span, codes::MISSING_INPUT, message)
                .hint = Some(format!("Add below `in:`: `{port}: {example}`."));
        }
    }

    /// Whether the reference stands for several artifacts.
    fn check_reference(&mut self, text: &'a Spanned<String>, needs: &[ports::Need<'_>]) -> bool {
        let Some(reference) = Reference::read(&text.value) else {
            let message = format!("`{}` is not a reference", text.value);
            self.error(text.span, codes::REFERENCE, message).hint =
                Some("Write `STEP.PORT`, `dataset:NAME@VERSION` or `model:NAME@ALIAS`.".to_owned());
            return false;
        };
        match reference {
            Reference::Dataset(name) => {
                self.check_stored(text.span, "dataset", PortKind::Dataset, name, needs)
            }
            Reference::Model(name) => self.check_stored(text.span, "model", PortKind::Model, name, needs),
            Reference::Input(name) => self.check_input_reference(text.span, name, needs),
            Reference::Step { step, port } => return self.check_step_reference(text.span, step, port, needs),
        }
        false
    }

    fn check_stored(
        &mut self,
        span: Span,
        what: &str,
        kind: PortKind,
        name: &str,
        needs: &[ports::Need<'_>],
    ) {
        self.check_kind(span, Some(kind), &format!("`{what}:{name}`"), needs);
        if name.contains("${{") {
            return;
        }
        let (base, version) = name.split_once('@').unwrap_or((name, "latest"));
        if !is_label(base) || !is_label(version) {
            let wrong = if is_label(base) { version } else { base };
            self.error(
                span,
                codes::REFERENCE,
                format!("`{wrong}` is not a name in `{what}:{name}`"),
            )
            .hint = Some(format!(
                "Write `{what}:NAME@VERSION`, the name of `a-z 0-9 _ - .`, the version a number, a tag or `latest`."
            ));
        }
    }

    fn check_input_reference(&mut self, span: Span, name: &str, needs: &[ports::Need<'_>]) {
        if !self.graph.is_pipeline {
            let message = "a DAG has no inputs of its own".to_owned();
            self.error(span, codes::REFERENCE, message).hint =
                Some("Write `STEP.PORT`, `dataset:NAME@VERSION` or `model:NAME@ALIAS`.".to_owned());
            return;
        }
        let none = NameMap::default();
        let inputs = self.graph.inputs.unwrap_or(&none);
        let Some(input) = inputs.get(name) else {
            if !inputs.is_broken(name) {
                let hint = inputs.suggest(name, "inputs");
                self.error(
                    span,
                    codes::UNKNOWN_PORT,
                    format!("the pipeline has no input `{name}`"),
                )
                .hint = Some(hint);
            }
            return;
        };
        let kind = input.kind.unwrap_or(PortKind::Dataset);
        self.check_kind(
            span,
            Some(kind),
            &format!("the input `{name}` of the pipeline"),
            needs,
        );
        if input.optional.unwrap_or(false)
            && let Some(need) = needs.iter().find(|need| !need.optional)
        {
            let message = format!(
                "the input `{name}` may be left out, but {} may not",
                need.described
            );
            self.error(span, codes::MISSING_INPUT, message);
        }
    }

    fn check_step_reference(
        &mut self,
        span: Span,
        step: &str,
        port: &str,
        needs: &[ports::Need<'_>],
    ) -> bool {
        let Some(other) = self.graph.steps.get(step) else {
            self.unknown_step(span, step);
            return false;
        };
        let flow = match ports::output(self.world, other, port) {
            Ok(Some(flow)) => flow,
            Ok(None) => return false,
            Err(missing) => {
                no_port(self.graph, span, "output", port, &missing, self.report);
                return false;
            }
        };
        self.check_kind(span, flow.kind, &format!("`{step}.{port}`"), needs);
        for need in needs {
            for amiss in ports::columns_amiss(flow.columns, need.columns) {
                let message = format!("{} does not fit {}: {amiss}", flow.described, need.described);
                self.error(span, codes::COLUMNS, message);
            }
        }
        flow.many
    }

    fn check_kind(&mut self, span: Span, kind: Option<PortKind>, what: &str, needs: &[ports::Need<'_>]) {
        let wrong = needs
            .iter()
            .find(|need| matches!((kind, need.kind), (Some(a), Some(b)) if a != b));
        if let Some(need) = wrong {
            let word = |kind| {
                if kind == Some(PortKind::Model) {
                    "model"
                } else {
                    "dataset"
                }
            };
            let message = format!(
                "{what} is a {}, but {} takes a {}",
                word(kind),
                need.described,
                word(need.kind)
            );
            self.error(span, codes::PORT_KIND, message);
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

    fn check_variants(&mut self) {
        let step = self.step;
        if let (Some(_), Some(for_each)) = (&step.matrix, &step.for_each) {
            let hint = "Use a pipeline with one, and the other on the step that uses it.";
            self.error(
                for_each.span,
                codes::CONFLICTING_KEYS,
                "a step has `matrix` or `for_each`, not both".into(),
            )
            .hint = Some(hint.to_owned());
        }
        if let Some(name) = &step.item_name {
            if step.for_each.is_none() {
                self.error(name.span, codes::CONFLICTING_KEYS, "`as` needs `for_each`".into());
            }
            let taken = ["params", "steps", "run", "matrix", "item", "inputs"].contains(&name.value.as_str());
            if !identifier(name) || name.contains('-') || taken {
                self.error(
                    name.span,
                    codes::NAME,
                    format!("`{}` cannot be a name for the entry", name.value),
                )
                .hint = Some(
                    "Letters, digits and `_`, and none of the names that expressions know already.".into(),
                );
            }
        }
        if let Some(Matrix::Dimensions(dimensions)) = &step.matrix {
            if dimensions.names().next().is_none() {
                self.error(
                    self.step.uses.span,
                    codes::VARIANTS,
                    "the matrix has no dimensions".into(),
                );
            }
            for (name, entry) in dimensions.iter() {
                self.check_list(
                    &format!("the dimension `{name}`"),
                    &entry.value.value,
                    entry.value.span,
                    true,
                );
            }
        }
        if let Some(for_each) = &step.for_each {
            self.check_list("`for_each`", &for_each.value, for_each.span, false);
        }
        self.check_select();
    }

    fn check_list(&mut self, what: &str, list: &ForEach, span: Span, distinct: bool) {
        let ForEach::List(items) = list else { return };
        if items.is_empty() && distinct {
            self.error(
                span,
                codes::VARIANTS,
                format!("{what} is empty: the step would never run"),
            );
        }
        if distinct {
            for (index, item) in items.iter().enumerate().take(1000) {
                if items[..index].iter().any(|earlier| earlier.data == item.data) {
                    self.error(
                        item.span,
                        codes::VARIANTS,
                        format!("{what} holds this value twice"),
                    );
                }
            }
        }
    }

    fn check_select(&mut self) {
        let Some(select) = &self.step.select else { return };
        if self.step.matrix.is_none() {
            self.error(
                select.span,
                codes::CONFLICTING_KEYS,
                "`select` needs `matrix`".into(),
            );
        }
        match (self.world.target(self.step), &select.step) {
            (Target::Pipeline(inner), Some(step)) => {
                if inner.steps.get(step).is_none() && !inner.steps.is_broken(step) {
                    let hint = inner.steps.suggest(step, "steps");
                    let message = format!("the pipeline `{}` has no step `{}`", inner.name, step.value);
                    self.error(step.span, codes::UNKNOWN_STEP, message).hint = Some(hint);
                } else if inner.steps.get(step).is_some_and(|inner| {
                    inner.for_each.is_some() || inner.matrix.is_some() || inner.uses.starts_with("pipeline/")
                }) {
                    let message = format!(
                        "the step `{}` of the pipeline is not a single task with metrics",
                        step.value
                    );
                    self.error(step.span, codes::VARIANTS, message);
                }
            }
            (Target::Pipeline(inner), None) => {
                let message =
                    "`select` needs the key `step`: which step of the pipeline has the metric".to_owned();
                let steps: Vec<_> = inner.steps.names().map(|name| format!("`{name}`")).collect();
                self.error(select.span, codes::MISSING_KEY, message).hint =
                    Some(format!("Steps: {}.", steps.join(", ")));
            }
            (Target::Operator(_), Some(step)) => {
                self.error(
                    step.span,
                    codes::CONFLICTING_KEYS,
                    "`step` is only for a step that uses a pipeline".into(),
                );
            }
            _ => {}
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
