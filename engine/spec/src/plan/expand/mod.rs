//! Steps to tasks: pipelines put in place, variants made, references resolved.

mod make;
mod sources;

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value};

use super::{
    Concurrency, Plan, PlannedInput, PlannedTask, Trial, inputs,
    options::Options,
    partial::{Failure, Partial},
    search,
    variants::{self, Amiss, MAX_TASKS, Variant},
};
use crate::{
    Dag,
    check::{
        self,
        expressions::{from_error, steps_read},
        graph::{Graph, Reference, Target, World},
    },
    diagnostic::{Report, codes},
    expr::Scope,
    model::{Condition, Reuse, Step},
    read::{Entry, NameMap},
    yaml::{Node, Span},
};

/// References between tasks of one plan.
const MAX_EDGES: usize = 2_000_000;
/// Bytes of all configurations of one plan, roughly.
const MAX_WEIGHT: usize = 128 * 1024 * 1024;

/// The plan of a checked DAG; `None` where something went wrong, which stands in the report.
pub(crate) fn expand(
    dag: &Dag,
    graph: &Graph<'_>,
    world: World<'_>,
    params: Map<String, Value>,
    report: &mut Report,
) -> Option<Plan> {
    let mut scope = Scope::default();
    scope.set("params", Value::Object(params.clone()));
    let mut expander = Expander {
        world,
        report,
        dag: graph.name,
        tasks: Vec::new(),
        edges: 0,
        weight: 0,
        published: HashMap::new(),
        outlines: HashMap::new(),
    };
    let frame = Frame {
        graph: *graph,
        id_prefix: String::new(),
        step_prefix: String::new(),
        scope,
        deferred: HashMap::new(),
        inputs: HashMap::new(),
        out_names: HashMap::new(),
        needs: Vec::new(),
        condition: None,
        options: Options::default().with_defaults(graph.defaults),
        variant: Map::new(),
        trial: None,
    };
    expander.frame(&frame)?;
    let tasks = expander.tasks;
    let pools: BTreeMap<_, _> = dag
        .pools
        .iter()
        .flat_map(NameMap::iter)
        .map(|(name, entry)| (name.to_owned(), entry.value.value))
        .collect();
    let concurrency = Concurrency {
        max_runs: dag
            .concurrency
            .as_ref()
            .and_then(|spec| spec.max_runs.as_ref())
            .map(|max| max.value),
        when_busy: dag
            .concurrency
            .as_ref()
            .and_then(|spec| spec.when_busy)
            .unwrap_or_default(),
        priority: dag
            .concurrency
            .as_ref()
            .and_then(|spec| spec.priority.as_ref())
            .map_or_else(crate::usual_priority, |priority| priority.value),
    };
    report.is_empty().then(|| Plan {
        dag: graph.name.to_owned(),
        params,
        tasks,
        pools,
        concurrency,
    })
}

struct Expander<'a, 'r> {
    world: World<'a>,
    report: &'r mut Report,
    dag: &'a str,
    tasks: Vec<PlannedTask>,
    edges: usize,
    weight: usize,
    /// Names that are published, with the step and whether it always runs.
    published: HashMap<String, (String, bool)>,
    outlines: HashMap<String, Rc<Outline>>,
}

/// A DAG, or one use of a pipeline.
struct Frame<'a> {
    graph: Graph<'a>,
    /// Before the ids of its tasks: nothing, or `outer[0]/`.
    id_prefix: String,
    /// Before the names of its steps: nothing, or `outer/`.
    step_prefix: String,
    scope: Scope,
    /// Parameters whose value is a template over the run.
    deferred: HashMap<String, Value>,
    /// What flows into the pipeline.
    inputs: HashMap<String, Vec<PlannedInput>>,
    /// Published names that the user of the pipeline gives, by step and port.
    out_names: HashMap<(String, String), String>,
    /// What all its tasks wait for.
    needs: Vec<String>,
    condition: Option<String>,
    options: Options,
    variant: Map<String, Value>,
    trial: Option<Box<Trial>>,
}

/// What is the same for every use of a graph.
struct Outline {
    /// Steps, each after those that it waits for.
    order: Vec<usize>,
    /// For each step those that it waits for.
    dependencies: Vec<Vec<usize>>,
    /// Whether another step waits for the step.
    awaited: Vec<bool>,
    /// Output ports that are read, by step.
    read: HashMap<String, IndexSet<String>>,
}

/// A step after its expansion.
#[derive(Default)]
struct Done {
    instances: Vec<Instance>,
    fanned: bool,
}

/// One variant of a step.
struct Instance {
    /// The task, where it is an operator's.
    task: Option<String>,
    /// Tasks to wait for, to wait for all of it.
    leaves: Vec<String>,
    /// Outputs of a pipeline.
    outputs: HashMap<String, Vec<PlannedInput>>,
    /// The task whose metric `select` compares.
    metric_task: Option<String>,
}

/// A step's parts that are the same for all its variants.
struct Common<'s> {
    name: &'s str,
    entry: &'s Entry<Step>,
    options: Options,
    /// `after`, and the steps that expressions read.
    needs: IndexSet<String>,
    /// Inputs, where no template is in them.
    inputs: Option<IndexMap<String, Vec<PlannedInput>>>,
    dones: &'s [Done],
}

impl<'a> Expander<'a, '_> {
    fn frame(&mut self, frame: &Frame<'a>) -> Option<Vec<Done>> {
        let outline = self.outline(&frame.graph)?;
        let mut dones: Vec<Done> = (0..frame.graph.steps.len()).map(|_| Done::default()).collect();
        // A step that fails takes those along that wait for it; the others are looked at, so that all is reported.
        let mut failed = vec![false; dones.len()];
        for &index in &outline.order {
            let (name, entry) = frame.graph.steps.at(index)?;
            failed[index] = outline.dependencies[index].iter().any(|need| failed[*need]);
            if !failed[index] {
                match self.step(frame, &outline, name, entry, &dones) {
                    Some(done) => dones[index] = done,
                    None => failed[index] = true,
                }
            }
            if self.over_limits() {
                return None;
            }
        }
        (!failed.contains(&true)).then_some(dones)
    }

    fn outline(&mut self, graph: &Graph<'a>) -> Option<Rc<Outline>> {
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

    fn step(
        &mut self,
        frame: &Frame<'a>,
        outline: &Outline,
        name: &'a str,
        entry: &'a Entry<Step>,
        dones: &[Done],
    ) -> Option<Done> {
        let step = &entry.value;
        let found = match variants::variants(step, &frame.scope) {
            Ok(found) => found,
            Err(Amiss::Expression(span, error)) => return self.expression_error(frame, (span, error)),
            Err(Amiss::Wrong(span, message)) => return self.error(frame, span, codes::VARIANTS, message),
        };
        let fixed = step
            .inputs
            .iter()
            .flat_map(NameMap::iter)
            .all(|(_, port)| port.value.values.iter().all(|text| !text.contains("${{")));
        let mut common = Common {
            name,
            entry,
            options: frame.options.with_step(step),
            needs: self.order_needs(frame, step, dones),
            inputs: None,
            dones,
        };
        if fixed {
            common.inputs = Some(self.inputs(frame, &common, &frame.scope)?);
        }
        let mut done = Done {
            instances: Vec::with_capacity(found.len()),
            fanned: check::ports::is_fanned(step),
        };
        let errors = self.report.len();
        // Tasks whose metrics decide on the next rung, by rung.
        let mut rungs: Vec<Vec<String>> = Vec::new();
        for variant in &found {
            let rung = self.rung(frame, &common, variant, found.len(), &rungs);
            let place = variant.place.map_or(0, |place| place.rung as usize);
            if let Some(instance) = self.instance(frame, outline, &common, variant, rung) {
                rungs.resize(rungs.len().max(place + 1), Vec::new());
                rungs[place].extend(instance.metric_task.clone());
                done.instances.push(instance);
            } else if self.report.len() > errors + 10 || self.over_limits() {
                break;
            }
        }
        (self.report.len() == errors).then_some(done)
    }

    /// What a variant waits for and belongs to as a trial of a search: from the second rung on, it runs where its trial
    /// was among the best of the rung before.
    fn rung(
        &self,
        frame: &Frame<'a>,
        common: &Common<'_>,
        variant: &Variant,
        of: usize,
        rungs: &[Vec<String>],
    ) -> Rung {
        let step = &common.entry.value;
        let (Some(place), Some(search), Some(select)) = (variant.place, &step.search, &step.select) else {
            return Rung::default();
        };
        let id = format!("{}{}{}", frame.id_prefix, common.name, variant.label);
        let metric_task = match &select.step {
            Some(step) => format!("{id}/{}", step.value),
            None => id,
        };
        let trial = Trial {
            search: format!("{}{}", frame.step_prefix, common.name),
            number: place.trial,
            rung: place.rung,
            of: u32::try_from(of).unwrap_or(u32::MAX),
            values: variant.values.clone(),
            metric_task,
            metric: select.metric.value.clone(),
            goal: select.goal,
            reuse: search.reuse == Some(Reuse::Best),
        };
        let before = rungs.get((place.rung as usize).wrapping_sub(1));
        let condition = before.and_then(|before| {
            let earlier = (place.rung as usize)
                .checked_sub(2)
                .and_then(|rung| rungs.get(rung));
            search::goes_on(search, select, before.get(place.trial as usize)?, before, earlier)
        });
        Rung {
            trial: Some(Box::new(trial)),
            condition,
            needs: before.cloned().unwrap_or_default(),
        }
    }

    fn over_limits(&self) -> bool {
        self.tasks.len() > MAX_TASKS || self.edges > MAX_EDGES || self.weight > MAX_WEIGHT
    }

    /// What a step waits for without data.
    fn order_needs(&self, frame: &Frame<'a>, step: &Step, dones: &[Done]) -> IndexSet<String> {
        let mut needs: IndexSet<String> = frame.needs.iter().cloned().collect();
        let done = |name: &str| {
            frame
                .graph
                .steps
                .index_of(name)
                .and_then(|index| dones.get(index))
        };
        for (name, _) in check::after(step) {
            for instance in done(name).into_iter().flat_map(|done| &done.instances) {
                needs.extend(instance.leaves.iter().cloned());
            }
        }
        for (name, _) in steps_read(step) {
            for instance in done(&name).into_iter().flat_map(|done| &done.instances) {
                needs.extend(instance.task.iter().cloned());
            }
        }
        needs
    }

    fn instance(
        &mut self,
        frame: &Frame<'a>,
        outline: &Outline,
        common: &Common<'_>,
        variant: &Variant,
        rung: Rung,
    ) -> Option<Instance> {
        let step = &common.entry.value;
        let id = format!("{}{}{}", frame.id_prefix, common.name, variant.label);
        let inputs = match &common.inputs {
            Some(inputs) => {
                // Counted before the copy: each variant of 10,000 that gathers 10,000 would be 100 million.
                self.count(frame, common, inputs)?;
                inputs.clone()
            }
            None => {
                let inputs = self.inputs(frame, common, &variant.scope)?;
                self.count(frame, common, &inputs)?;
                inputs
            }
        };
        let steps = |name: &str| sources::step_expression(frame, common.dones, name);
        let partial = Partial {
            scope: &variant.scope,
            deferred: &frame.deferred,
            steps: &steps,
        };
        let with = match step.with.as_ref().map(|with| partial.node(with)).transpose() {
            Ok(with) => with.map(|(node, _)| node),
            Err(failure) => return self.expression_error(frame, failure),
        };
        let condition = match &step.condition {
            None => None,
            Some(Condition::Constant(value)) => Some(value.to_string()),
            Some(Condition::Expression(expression)) => {
                match partial.condition(&expression.value.0, expression.span) {
                    Ok(condition) => Some(condition),
                    Err(failure) => return self.expression_error(frame, failure),
                }
            }
        };
        let condition = both(
            frame.condition.clone(),
            condition.filter(|condition| condition != "true"),
        );
        let condition = both(condition, rung.condition);
        let mut needs = common.needs.clone();
        self.edges += rung.needs.len();
        needs.extend(rung.needs);
        let trial = rung.trial.or_else(|| frame.trial.clone());
        let out = self.out_names(frame, common, &partial)?;
        let mut values = frame.variant.clone();
        values.extend(variant.values.clone());
        match self.world.target(step) {
            Target::Operator(operator) => {
                let made = Made {
                    id,
                    with,
                    condition,
                    needs,
                    inputs,
                    out,
                    values,
                    trial,
                };
                self.task(frame, outline, common, operator, made)
            }
            Target::Pipeline(inner) => {
                let made = Made {
                    id,
                    with,
                    condition,
                    needs,
                    inputs,
                    out,
                    values,
                    trial,
                };
                self.pipeline(frame, common, inner, made)
            }
            Target::Unknown => None,
        }
    }

    fn count(
        &mut self,
        frame: &Frame<'a>,
        common: &Common<'_>,
        inputs: &IndexMap<String, Vec<PlannedInput>>,
    ) -> Option<()> {
        self.edges += common.needs.len();
        inputs
            .values()
            .flatten()
            .for_each(|source| inputs::tasks(source, &mut |_| self.edges += 1));
        if self.edges > MAX_EDGES {
            let message = format!("tasks would wait for each other in more than {MAX_EDGES} ways");
            self.report
                .error(frame.graph.source, common.entry.key_span, codes::PLAN_TOO_LARGE, message)
                .hint = Some("Put the steps that follow each other for each entry into a pipeline, and use that with `for_each`.".into());
            return None;
        }
        Some(())
    }

    fn error<T>(&mut self, frame: &Frame<'a>, span: Span, code: &'static str, message: String) -> Option<T> {
        self.report.error(frame.graph.source, span, code, message);
        None
    }

    fn expression_error<T>(&mut self, frame: &Frame<'a>, (span, error): Failure) -> Option<T> {
        self.report.push(from_error(frame.graph.source, span, &error));
        None
    }
}

fn both(outer: Option<String>, inner: Option<String>) -> Option<String> {
    match (outer, inner) {
        (Some(outer), Some(inner)) => Some(format!("({outer}) and ({inner})")),
        (one, None) | (None, one) => one,
    }
}

/// A variant's parts.
struct Made {
    id: String,
    with: Option<Node>,
    condition: Option<String>,
    needs: IndexSet<String>,
    inputs: IndexMap<String, Vec<PlannedInput>>,
    out: HashMap<String, String>,
    values: Map<String, Value>,
    trial: Option<Box<Trial>>,
}

/// What a variant's place in a search adds.
#[derive(Default)]
struct Rung {
    trial: Option<Box<Trial>>,
    condition: Option<String>,
    needs: Vec<String>,
}
