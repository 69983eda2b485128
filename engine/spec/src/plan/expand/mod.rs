//! Steps to tasks: pipelines put in place, variants made, references resolved.

mod make;
mod outline;
mod sources;
mod step;

use std::{
    collections::{BTreeMap, HashMap},
    rc::Rc,
};

use indexmap::{IndexMap, IndexSet};
use serde_json::{Map, Value};

use super::{
    Concurrency, Plan, PlannedInput, PlannedTask, Trial, options::Options, partial::Failure,
    variants::MAX_TASKS,
};
use crate::{
    Dag,
    check::{
        expressions::from_error,
        graph::{Graph, World},
    },
    diagnostic::Report,
    expr::Scope,
    model::Step,
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

    fn over_limits(&self) -> bool {
        self.tasks.len() > MAX_TASKS || self.edges > MAX_EDGES || self.weight > MAX_WEIGHT
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
