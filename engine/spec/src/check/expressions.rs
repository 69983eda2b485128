//! The expressions of a step: where they stand, what they may see there, which steps they wait for.

use super::graph::Graph;
use crate::{
    diagnostic::{Diagnostic, Report, codes},
    expr::{self, ExprError, Segment},
    model::{Condition, ForEach, Matrix, Step},
    read::{NameMap, closest, did_you_mean},
    source::Source,
    yaml::{Data, Node, Span},
};

/// What `run` holds in expressions.
pub(crate) const RUN_FIELDS: &[&str] = &["id", "dag"];
/// What `steps.NAME` holds in expressions.
const STEP_FIELDS: &[&str] = &["metrics", "outputs", "state"];

/// Where an expression stands, which decides what it may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    /// `with:` and `if:`, filled when the task starts.
    Start,
    /// `matrix:` and `for_each:`, filled before there are tasks.
    Variants,
    /// `in:` and `out:`, filled for each task when the plan is made.
    Names,
}

/// Visits all expressions of a step, with what is wrong with the braces around them.
pub(crate) fn visit<'a>(step: &'a Step, see: &mut dyn FnMut(Site, Span, Result<&'a str, ExprError>)) {
    if let Some(with) = &step.with {
        visit_node(with, Site::Start, see);
    }
    if let Some(Condition::Expression(expression)) = &step.condition {
        see(Site::Start, expression.span, Ok(&expression.value.0));
    }
    match &step.matrix {
        Some(Matrix::Template(expression)) => see(Site::Variants, expression.span, Ok(&expression.value.0)),
        Some(Matrix::Dimensions(dimensions)) => {
            dimensions
                .iter()
                .for_each(|(_, entry)| visit_list(&entry.value.value, see));
        }
        None => {}
    }
    if let Some(for_each) = &step.for_each {
        visit_list(&for_each.value, see);
    }
    for (_, entry) in step.inputs.iter().flat_map(NameMap::iter) {
        for text in &entry.value.values {
            visit_text(&text.value, text.span, Site::Names, see);
        }
    }
    for (_, entry) in step.outputs.iter().flat_map(NameMap::iter) {
        visit_text(&entry.value.value, entry.value.span, Site::Names, see);
    }
}

type See<'a, 'f> = &'f mut dyn FnMut(Site, Span, Result<&'a str, ExprError>);

fn visit_list<'a>(list: &'a ForEach, see: See<'a, '_>) {
    match list {
        ForEach::Template(expression) => see(Site::Variants, expression.span, Ok(&expression.value.0)),
        ForEach::List(items) => items
            .iter()
            .for_each(|item| visit_node(item, Site::Variants, see)),
    }
}

fn visit_node<'a>(node: &'a Node, site: Site, see: See<'a, '_>) {
    match &node.data {
        Data::String(text) => visit_text(text, node.span, site, see),
        Data::List(items) => items.iter().for_each(|item| visit_node(item, site, see)),
        Data::Map(pairs) => pairs.iter().for_each(|pair| visit_node(&pair.value, site, see)),
        Data::Null | Data::Bool(_) | Data::Number(_) => {}
    }
}

fn visit_text<'a>(text: &'a str, span: Span, site: Site, see: See<'a, '_>) {
    if !text.contains("${{") {
        return;
    }
    match expr::segments(text) {
        Ok(segments) => {
            for segment in segments {
                if let Segment::Expression { source, .. } = segment {
                    see(site, span, Ok(source));
                }
            }
        }
        Err(error) => see(site, span, Err(error)),
    }
}

/// The steps that a step's expressions read, each with the place.
pub(crate) fn steps_read(step: &Step) -> Vec<(String, Span)> {
    let mut found = Vec::new();
    visit(step, &mut |site, span, expression| {
        if let (Site::Start, Ok(expression)) = (site, expression) {
            for reference in expr::references(expression) {
                if let (true, Some(name)) = (reference.root == "steps", reference.name(0)) {
                    found.push((name.to_owned(), span));
                }
            }
        }
    });
    found
}

/// Reports what is wrong with the expressions of a step.
pub(super) fn check(graph: &Graph<'_>, name: &str, step: &Step, report: &mut Report) {
    let mut cx = Context {
        graph,
        name,
        step,
        report,
    };
    visit(step, &mut |site, span, expression| match expression {
        Ok(expression) => cx.check(site, locate(graph.source, span, expression), expression),
        Err(error) => cx.report.push(from_error(graph.source, span, &error)),
    });
}

/// An expression's error as a diagnostic.
pub(crate) fn from_error(source: &Source, span: Span, error: &ExprError) -> Diagnostic {
    Diagnostic::new(source, span, error.code(), error.to_string()).with_optional_hint(error.hint())
}

/// Where an expression stands inside its value; escapes may hide it, then the whole value is meant.
pub(crate) fn locate(source: &Source, span: Span, expression: &str) -> Span {
    let text = source.text().get(span.range()).unwrap_or_default();
    text.find(expression).map_or(span, |at| {
        Span::new(span.start + at, span.start + at + expression.len())
    })
}

struct Context<'a, 'r> {
    graph: &'a Graph<'a>,
    name: &'a str,
    step: &'a Step,
    report: &'r mut Report,
}

impl Context<'_, '_> {
    fn error(&mut self, span: Span, message: String, hint: Option<String>) {
        self.report
            .error(self.graph.source, span, codes::EXPRESSION_SCOPE, message)
            .hint = hint;
    }

    fn check(&mut self, site: Site, span: Span, expression: &str) {
        if let Err(error) = expr::check_syntax(expression) {
            return self.report.push(from_error(self.graph.source, span, &error));
        }
        for reference in expr::references(expression) {
            let span = match span.end - span.start == expression.len() {
                true => Span::new(
                    span.start + reference.range.start,
                    span.start + reference.range.end,
                ),
                false => span,
            };
            self.check_reference(site, span, &reference);
        }
    }

    fn check_reference(&mut self, site: Site, span: Span, reference: &expr::Reference) {
        let allowed = self.allowed(site);
        let root = reference.root.as_str();
        if !allowed.contains(&root) {
            let everywhere = ["params", "steps", "run", "matrix", "search", "item"];
            let message = match (everywhere.contains(&root), site) {
                (true, Site::Variants) => {
                    format!("`{root}` is not known yet where variants are made: only `params` is")
                }
                (true, Site::Names) if matches!(root, "steps" | "run") => {
                    format!("`{root}` is not known yet where names are made")
                }
                (true, _) => format!(
                    "`{root}` is only known in a step with {}",
                    match root {
                        "item" => "`for_each`",
                        "search" => "`search`",
                        _ => "`matrix`",
                    }
                ),
                (false, _) => format!("`{root}` is not defined"),
            };
            let hint = did_you_mean(root, allowed.iter().copied()).unwrap_or_else(|| {
                let allowed: Vec<_> = allowed.iter().map(|name| format!("`{name}`")).collect();
                format!("An expression sees {} here.", allowed.join(", "))
            });
            return self.error(span, message, Some(hint));
        }
        match root {
            "params" => self.check_param(span, reference),
            "steps" => self.check_step(span, reference),
            "run" => {
                if let Some(field) = reference.name(0)
                    && !RUN_FIELDS.contains(&field)
                {
                    let hint = closest(field, RUN_FIELDS.iter().copied()).map_or_else(
                        || format!("It has {}.", RUN_FIELDS.join(", ")),
                        |name| format!("Did you mean `run.{name}`?"),
                    );
                    self.error(span, format!("`run` has no `{field}`"), Some(hint));
                }
            }
            "matrix" => self.check_dimension(span, reference),
            "search" => self.check_drawn(span, reference),
            _ => {}
        }
    }

    fn allowed(&self, site: Site) -> Vec<&str> {
        let mut allowed = vec!["params"];
        if site != Site::Variants {
            if self.step.matrix.is_some() {
                allowed.push("matrix");
            }
            if self.step.search.is_some() {
                allowed.push("search");
            }
            if self.step.for_each.is_some() {
                allowed.push("item");
                allowed.extend(self.step.item_name.as_ref().map(|name| name.value.as_str()));
            }
        }
        if site == Site::Start {
            allowed.extend(["steps", "run"]);
        }
        allowed
    }

    fn check_param(&mut self, span: Span, reference: &expr::Reference) {
        let Some(name) = reference.name(0) else { return };
        let none = NameMap::default();
        let params = self.graph.params.unwrap_or(&none);
        if params.get(name).is_none() && !params.is_broken(name) {
            let hint = params.suggest(name, "parameters");
            let message = format!("there is no parameter `{name}`");
            self.report
                .error(self.graph.source, span, codes::UNKNOWN_PARAM, message)
                .hint = Some(hint);
        }
    }

    fn check_step(&mut self, span: Span, reference: &expr::Reference) {
        let Some(name) = reference.name(0) else {
            let message = "a step must be named: `steps.STEP.metrics.NAME`".to_owned();
            return self.error(span, message, None);
        };
        if name == self.name {
            return self.error(
                span,
                format!("the step `{name}` cannot read its own metrics"),
                None,
            );
        }
        let Some(other) = self.graph.steps.get(name) else {
            if !self.graph.steps.is_broken(name) {
                let hint = self.graph.steps.suggest(name, "steps");
                let message = format!("there is no step `{name}`");
                self.report
                    .error(self.graph.source, span, codes::UNKNOWN_STEP, message)
                    .hint = Some(hint);
            }
            return;
        };
        if other.uses.starts_with("pipeline/") {
            let message = format!("`{name}` uses a pipeline, which has no metrics of its own");
            return self.error(
                span,
                message,
                Some("Read the metrics in the pipeline itself.".to_owned()),
            );
        }
        let fanned = super::ports::is_fanned(other);
        if let Some(part) = reference
            .name(1)
            .filter(|part| !STEP_FIELDS.contains(part) && !fanned)
        {
            let hint = did_you_mean(part, STEP_FIELDS.iter().copied())
                .unwrap_or_else(|| format!("Read `steps.{name}.metrics.NAME`."));
            self.error(span, format!("a step has no `{part}`"), Some(hint));
        }
    }

    fn check_drawn(&mut self, span: Span, reference: &expr::Reference) {
        let (Some(search), Some(name)) = (&self.step.search, reference.name(0)) else {
            return;
        };
        let budget = search
            .halving
            .as_ref()
            .map(|halving| halving.budget.value.as_str());
        if search.over.get(name).is_none() && !search.over.is_broken(name) && budget != Some(name) {
            let hint = search.over.suggest(name, "values");
            self.error(span, format!("the search draws no `{name}`"), Some(hint));
        }
    }

    fn check_dimension(&mut self, span: Span, reference: &expr::Reference) {
        if let (Some(Matrix::Dimensions(dimensions)), Some(name)) = (&self.step.matrix, reference.name(0))
            && dimensions.get(name).is_none()
            && !dimensions.is_broken(name)
        {
            let hint = dimensions.suggest(name, "dimensions");
            self.error(span, format!("the matrix has no dimension `{name}`"), Some(hint));
        }
    }
}
