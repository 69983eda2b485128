//! Who needs whom, by place in the plan.

use std::collections::{HashMap, HashSet};

use twinloom_spec::{Plan, PlannedInput, PlannedTask};

use crate::{EngineError, scope};

/// The edges of a plan.
#[derive(Debug)]
pub struct Graph {
    index: HashMap<String, usize>,
    needs: Vec<Vec<usize>>,
    dependents: Vec<Vec<usize>>,
    looks_at_steps: Vec<bool>,
}

impl Graph {
    /// Reads the edges off a plan.
    ///
    /// # Errors
    /// [`EngineError::BadPlan`] when a task is there twice or needs one that does not come before it.
    pub fn of(plan: &Plan) -> Result<Self, EngineError> {
        let bad = |reason: String| EngineError::BadPlan {
            dag: plan.dag.clone(),
            reason,
        };
        let count = plan.tasks.len();
        let mut graph = Self {
            index: HashMap::with_capacity(count),
            needs: Vec::with_capacity(count),
            dependents: vec![Vec::new(); count],
            looks_at_steps: Vec::with_capacity(count),
        };
        for (place, task) in plan.tasks.iter().enumerate() {
            let find = |need: &str| {
                let found = graph.index.get(need).copied();
                found.ok_or_else(|| {
                    bad(format!(
                        "`{}` needs `{need}`, which does not come before it",
                        task.id
                    ))
                })
            };
            let needs = data_needs(task)
                .chain(task.needs.iter().map(String::as_str))
                .map(find);
            let mut needs = needs.collect::<Result<Vec<usize>, _>>()?;
            needs.sort_unstable();
            needs.dedup();
            for need in &needs {
                if let Some(dependents) = graph.dependents.get_mut(*need) {
                    dependents.push(place);
                }
            }
            graph.needs.push(needs);
            graph
                .looks_at_steps
                .push(task.condition.is_some() || scope::is_template(&task.config));
            if graph.index.insert(task.id.clone(), place).is_some() {
                return Err(bad(format!("the task `{}` is there twice", task.id)));
            }
        }
        Ok(graph)
    }

    /// A task's place.
    pub fn index_of(&self, task: &str) -> Option<usize> {
        self.index.get(task).copied()
    }

    /// What a task needs, in the plan's order.
    pub fn needs(&self, task: usize) -> &[usize] {
        self.needs.get(task).map_or(&[], Vec::as_slice)
    }

    /// What needs a task.
    pub fn dependents(&self, task: usize) -> &[usize] {
        self.dependents.get(task).map_or(&[], Vec::as_slice)
    }

    /// Whether a task's condition or templates may look at other steps.
    pub fn looks_at_steps(&self, task: usize) -> bool {
        self.looks_at_steps.get(task).copied().unwrap_or_default()
    }

    /// All that a task needs, directly or not, in the plan's order.
    pub fn upstream(&self, task: usize) -> Vec<usize> {
        self.closure(self.needs(task).to_vec(), |place| self.needs(place))
    }

    /// A task and all that needs it, directly or not, in the plan's order.
    pub fn downstream(&self, task: usize) -> Vec<usize> {
        self.closure(vec![task], |place| self.dependents(place))
    }

    fn closure<'a>(&'a self, start: Vec<usize>, next: impl Fn(usize) -> &'a [usize]) -> Vec<usize> {
        let mut seen: HashSet<usize> = start.iter().copied().collect();
        let mut open = start;
        while let Some(place) = open.pop() {
            open.extend(next(place).iter().copied().filter(|place| seen.insert(*place)));
        }
        let mut all: Vec<usize> = seen.into_iter().collect();
        all.sort_unstable();
        all
    }
}

/// Ids of the tasks whose outputs flow into a task.
pub fn data_needs(task: &PlannedTask) -> impl Iterator<Item = &str> {
    task.inputs.values().flat_map(sources)
}

/// Ids of the tasks that an input comes from.
pub fn sources(input: &PlannedInput) -> Vec<&str> {
    match input {
        PlannedInput::Task { task, .. } => vec![task],
        PlannedInput::Gather { tasks, .. } => tasks.iter().map(String::as_str).collect(),
        PlannedInput::Select { variants, .. } => variants
            .iter()
            .flat_map(|variant| [variant.task.as_str(), variant.metric_task.as_str()])
            .collect(),
        PlannedInput::Dataset { .. } | PlannedInput::Model { .. } => Vec::new(),
    }
}
