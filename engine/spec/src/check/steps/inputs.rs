//! What flows into a step: ports, references, kinds and columns.

use super::{Context, no_port};
use crate::{
    PortKind,
    check::{
        graph::{Reference, Target},
        ports,
    },
    diagnostic::codes,
    model::scalars::is_label,
    read::{NameMap, Spanned},
    yaml::Span,
};

impl<'a> Context<'a, '_> {
    pub(super) fn check_inputs(&mut self) {
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
}
