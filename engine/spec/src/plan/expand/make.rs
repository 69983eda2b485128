//! The tasks of an operator's step, and the steps of a pipeline's use.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value};

use super::{Common, Expander, Frame, Instance, MAX_WEIGHT, Made, Outline, sources::output};
use crate::{
    OperatorSignature, PlannedTask,
    check::{
        self,
        graph::{Graph, Reference},
    },
    diagnostic::codes,
    expr::{self, Scope},
    plan::{inputs, names, options::Options, variants::MAX_TASKS},
    read::NameMap,
    yaml::{Data, Node},
};

impl<'a> Expander<'a, '_> {
    pub(super) fn task(
        &mut self,
        frame: &Frame<'a>,
        outline: &Outline,
        common: &Common<'_>,
        operator: &'a OperatorSignature,
        made: Made,
    ) -> Option<Instance> {
        let step = &common.entry.value;
        if let Some(with) = &made.with {
            check::check_config(
                operator,
                Some(with),
                step.uses.span,
                frame.graph.source,
                self.report,
            );
        }
        let config = made
            .with
            .map_or_else(|| Value::Object(Map::new()), |with| with.to_value());
        let config = if config.is_null() {
            Value::Object(Map::new())
        } else {
            config
        };
        self.weight += expr::weight(&config);
        if self.tasks.len() >= MAX_TASKS || self.weight > MAX_WEIGHT {
            let message = match self.weight > MAX_WEIGHT {
                true => "the configurations of all tasks together are larger than 128 MiB".to_owned(),
                false => format!("the plan would have more than {MAX_TASKS} tasks"),
            };
            return self.error(frame, common.entry.key_span, codes::PLAN_TOO_LARGE, message);
        }
        let mut ports: IndexSet<&str> = operator.outputs.iter().map(|port| port.name.as_str()).collect();
        if operator.open_ports {
            ports.extend(step.outputs.iter().flat_map(NameMap::names));
            ports.extend(
                outline
                    .read
                    .get(common.name)
                    .into_iter()
                    .flatten()
                    .map(String::as_str),
            );
        }
        let mut outputs = IndexMap::new();
        for port in ports {
            let outer = frame.out_names.get(&(common.name.to_owned(), port.to_owned()));
            let name = match outer.or_else(|| made.out.get(port)) {
                Some(name) => name.clone(),
                None => names::published(self.dag, &made.id, port, &self.published),
            };
            self.claim(frame, common, &name, made.condition.is_none())?;
            if name.len() > 128 {
                let message =
                    format!("the name `{name}` of the output `{port}` is longer than 128 characters");
                return self.error(frame, common.entry.key_span, codes::NAME, message);
            }
            outputs.insert(port.to_owned(), name);
        }
        let mut needs = made.needs;
        for source in made.inputs.values().flatten() {
            inputs::tasks(source, &mut |task| {
                needs.insert(task.to_owned());
            });
        }
        let mut inputs = IndexMap::new();
        for (port, sources) in made.inputs {
            let Some(input) = inputs::combine(sources) else {
                let message = format!("the sources of the input `{port}` cannot be put together");
                let span = common.entry.key_span;
                self.report
                    .error(frame.graph.source, span, codes::TOO_MANY_INPUTS, message)
                    .hint = Some(
                    "A list below `in:` holds outputs of the same name: `[a.documents, b.documents]`.".into(),
                );
                return None;
            };
            inputs.insert(port, input);
        }
        let options = &common.options;
        self.tasks.push(PlannedTask {
            id: made.id.clone(),
            step: format!("{}{}", frame.step_prefix, common.name),
            operator: operator.name.clone(),
            config,
            inputs,
            outputs,
            needs: needs.into_iter().collect(),
            condition: made.condition,
            variant: made.values,
            trial: made.trial,
            retries: options.retries,
            timeout: options.timeout,
            pool: options.pool.clone(),
            executor: options.executor.clone(),
            resources: options.resources,
            cache: options.cache,
        });
        Some(Instance {
            task: Some(made.id.clone()),
            leaves: vec![made.id.clone()],
            outputs: HashMap::new(),
            metric_task: Some(made.id),
        })
    }

    /// Takes a name for a step's output. The variants of one step share a name; two steps that always run may not.
    fn claim(&mut self, frame: &Frame<'a>, common: &Common<'_>, name: &str, always: bool) -> Option<()> {
        let step = format!("{}{}", frame.step_prefix, common.name);
        match self.published.get(name) {
            Some((other, true)) if always && *other != step => {
                let message = format!("`{name}` is published by `{other}` and by `{step}`");
                let hint = "Give each its own name below `out:`, for a pipeline at the step that uses it.";
                self.report
                    .error(
                        frame.graph.source,
                        common.entry.key_span,
                        codes::DUPLICATE_OUTPUT,
                        message,
                    )
                    .hint = Some(hint.to_owned());
                None
            }
            Some(_) => Some(()),
            None => {
                self.published.insert(name.to_owned(), (step, always));
                Some(())
            }
        }
    }

    pub(super) fn pipeline(
        &mut self,
        frame: &Frame<'a>,
        common: &Common<'_>,
        inner: Graph<'a>,
        made: Made,
    ) -> Option<Instance> {
        let (params, deferred) = self.pipeline_params(frame, common, inner, made.with.as_ref())?;
        let mut scope = Scope::default();
        scope.set("params", Value::Object(params));
        let mut out_names = HashMap::new();
        for (output, name) in made.out {
            if let Some(Reference::Step { step, port }) = inner
                .outputs
                .and_then(|outputs| outputs.get(&output))
                .and_then(|text| Reference::read(&text.value))
            {
                out_names.insert((step.to_owned(), port.to_owned()), name);
            }
        }
        let id = made.id;
        let used = Frame {
            graph: inner,
            id_prefix: format!("{id}/"),
            step_prefix: format!("{}{}/", frame.step_prefix, common.name),
            scope,
            deferred,
            inputs: made.inputs.into_iter().collect(),
            out_names,
            needs: made.needs.into_iter().collect(),
            condition: made.condition,
            options: Options::with_step(&frame.options.with_defaults(inner.defaults), &common.entry.value),
            variant: made.values,
            trial: made.trial,
        };
        let dones = self.frame(&used)?;
        let outline = self.outline(&inner)?;
        let leaves = dones
            .iter()
            .zip(&outline.awaited)
            .filter(|(_, awaited)| !**awaited);
        let leaves = leaves
            .flat_map(|(done, _)| &done.instances)
            .flat_map(|instance| instance.leaves.clone())
            .collect();
        let mut outputs = HashMap::new();
        for (name, entry) in inner.outputs.into_iter().flat_map(NameMap::iter) {
            if let Some(Reference::Step { step, port }) = Reference::read(&entry.value.value) {
                outputs.insert(name.to_owned(), output(&inner, &dones, step, port)?);
            }
        }
        let metric_task = common
            .entry
            .value
            .select
            .as_ref()
            .and_then(|select| select.step.as_ref())
            .and_then(|step| {
                dones
                    .get(inner.steps.index_of(step)?)?
                    .instances
                    .first()?
                    .task
                    .clone()
            });
        Some(Instance {
            task: None,
            leaves,
            outputs,
            metric_task,
        })
    }

    /// The parameters of a pipeline's use: those that are known, and those that hold templates over the run.
    fn pipeline_params(
        &mut self,
        frame: &Frame<'a>,
        common: &Common<'_>,
        inner: Graph<'a>,
        with: Option<&Node>,
    ) -> Option<(Map<String, Value>, HashMap<String, Value>)> {
        let (mut params, mut deferred) = (Map::new(), HashMap::new());
        let errors = self.report.len();
        for (name, entry) in inner.params.into_iter().flat_map(NameMap::iter) {
            let Some(node) = with.and_then(|with| with.get(name)) else {
                params.insert(
                    name.to_owned(),
                    entry.value.default.as_ref().map_or(Value::Null, Node::to_value),
                );
                continue;
            };
            if is_live(node) {
                deferred.insert(name.to_owned(), node.to_value());
                continue;
            }
            match expr::render_in(&node.to_value(), &Scope::default()) {
                Ok(value) => {
                    let plain = Node::from_value(&value, node.span);
                    let called = format!("with.{name}");
                    let schema = entry.value.schema();
                    check::params::check(
                        &schema,
                        &plain,
                        &called,
                        codes::PARAM_VALUE,
                        frame.graph.source,
                        self.report,
                    );
                    params.insert(name.to_owned(), value);
                }
                Err(error) => return self.expression_error(frame, (common.entry.value.uses.span, error)),
            }
        }
        (self.report.len() == errors).then_some((params, deferred))
    }
}

/// Whether templates are left anywhere in a value.
fn is_live(node: &Node) -> bool {
    match &node.data {
        Data::List(items) => items.iter().any(is_live),
        Data::Map(pairs) => pairs.iter().any(|pair| is_live(&pair.value)),
        _ => check::schema::is_template(node),
    }
}
