//! What a plan would do, were it run now.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};
use twinloom_meta::{ArtifactRow, TaskRow, TaskState};
use twinloom_sdk::ArtifactId;
use twinloom_spec::{Plan, PlannedInput, PlannedTask};

use super::Engine;
use crate::{
    EngineError, TaskPreview, Would,
    dispatcher::graph::sources,
    prepare::{self, CachedOutput},
    scope,
};

/// What is known of a task before anything has run.
enum Known {
    /// It has an earlier result.
    Result { outputs: Vec<CachedOutput>, seen: Value },
    /// It would be skipped.
    Skipped,
    /// It would run.
    Nothing,
}

impl Engine {
    /// Says of every task whether it would run or is cached, and why.
    ///
    /// # Errors
    /// `run.unknown_operator`; what the store and the database say.
    pub async fn plan_preview(&self, plan: &Plan) -> Result<Vec<TaskPreview>, EngineError> {
        self.check_operators(plan)?;
        let mut plan = plan.clone();
        self.reuse_best(&mut plan).await?;
        let plan = &plan;
        let mut known: HashMap<&str, Known> = HashMap::new();
        let mut previews = Vec::with_capacity(plan.tasks.len());
        for task in &plan.tasks {
            let (would, why, result) = self.preview(plan, task, &known).await?;
            previews.push(TaskPreview {
                task: task.id.clone(),
                step: task.step.clone(),
                operator: task.operator.clone(),
                would,
                why,
            });
            known.insert(&task.id, result);
        }
        Ok(previews)
    }

    async fn preview(
        &self,
        plan: &Plan,
        task: &PlannedTask,
        known: &HashMap<&str, Known>,
    ) -> Result<(Would, String, Known), EngineError> {
        let facts = self.shared.facts(&task.operator);
        let needed = |port: &str| !facts.is_some_and(|facts| facts.is_optional(port));
        let skipped = task
            .inputs
            .iter()
            .find_map(|(port, input)| dry(input, known).filter(|_| needed(port)));
        if let Some(need) = skipped {
            return Ok((Would::Skip, format!("`{need}` is skipped"), Known::Skipped));
        }
        let open = task
            .needs
            .iter()
            .find(|need| matches!(known.get(need.as_str()), Some(Known::Nothing)));
        let scope = scope::of_task(&plan.params, "", &plan.dag, task, steps(plan, known));
        if let Some(condition) = &task.condition {
            match scope::holds(condition, &scope) {
                Ok(false) => return Ok((Would::Skip, format!("`{condition}` is false"), Known::Skipped)),
                Ok(true) => {}
                Err(_) => {
                    return Ok((
                        Would::Unknown,
                        format!("`{condition}` is not known yet"),
                        Known::Nothing,
                    ));
                }
            }
        }
        if !facts.is_some_and(|facts| facts.cacheable) {
            return Ok((
                Would::Run,
                "looks at the outside world, so it always runs".to_owned(),
                Known::Nothing,
            ));
        }
        if !task.cache {
            return Ok((Would::Run, "`cache: false`".to_owned(), Known::Nothing));
        }
        if let Some(need) = open {
            return Ok((
                Would::Unknown,
                format!("cached if `{need}` gives what it gave before"),
                Known::Nothing,
            ));
        }
        let inputs = match self.known_inputs(task, known).await {
            Ok(inputs) => inputs,
            Err(why) => return Ok((Would::Unknown, why, Known::Nothing)),
        };
        let Ok(config) = scope::render(&task.config, &scope) else {
            return Ok((
                Would::Unknown,
                "its `with:` is not known yet".to_owned(),
                Known::Nothing,
            ));
        };
        let ready = prepare::ready(&self.shared, task, config, inputs);
        let key = ready.cache_key.unwrap_or_default();
        let Some(row) = self.shared.config.meta.cache(&key).await? else {
            let why = "no earlier result has this configuration and these inputs";
            return Ok((Would::Run, why.to_owned(), Known::Nothing));
        };
        let (run, maker) = (row.run.clone(), row.task.clone());
        match prepare::usable(&self.shared.config.store, row).await {
            None => Ok((
                Would::Run,
                format!("the result of run {run} is no longer in the store"),
                Known::Nothing,
            )),
            Some(hit) => {
                let seen = seen(task, &hit);
                let why = format!("run {run}, task `{maker}` has the result");
                Ok((
                    Would::Cached,
                    why,
                    Known::Result {
                        outputs: hit.outputs,
                        seen,
                    },
                ))
            }
        }
    }

    async fn known_inputs(
        &self,
        task: &PlannedTask,
        known: &HashMap<&str, Known>,
    ) -> Result<IndexMap<String, Vec<ArtifactId>>, String> {
        let mut inputs = IndexMap::new();
        let output = |task: &str, port: &str| match known.get(task) {
            Some(Known::Result { outputs, .. }) => outputs
                .iter()
                .find(|output| output.port == port)
                .map(|output| output.artifact.clone()),
            _ => None,
        };
        // What is left here of what is skipped, the task can do without.
        for (port, input) in task
            .inputs
            .iter()
            .filter(|(_, input)| dry(input, known).is_none())
        {
            let artifacts = match input {
                PlannedInput::Task { task, port } => output(task, port).into_iter().collect(),
                PlannedInput::Gather { tasks, port } => {
                    tasks.iter().filter_map(|task| output(task, port)).collect()
                }
                PlannedInput::Select { .. } => {
                    return Err("which variant is best is not known yet".to_owned());
                }
                PlannedInput::Dataset { .. } | PlannedInput::Model { .. } => continue,
            };
            inputs.insert(port.clone(), artifacts);
        }
        for (port, kind, reference) in prepare::externals(task) {
            let pinned = prepare::pinned(&self.shared.config.store, kind, reference).await;
            match pinned {
                Ok(artifact) if prepare::says_nothing_new(&self.shared, task, port, &artifact, &inputs) => {}
                Ok(artifact) => drop(inputs.insert(port.to_owned(), vec![artifact])),
                Err(_)
                    if self
                        .shared
                        .facts(&task.operator)
                        .is_some_and(|facts| facts.is_optional(port)) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(inputs)
    }
}

/// The task that an input would wait for in vain: the one that it comes from, or the first of several that are all skipped.
fn dry<'a>(input: &'a PlannedInput, known: &HashMap<&str, Known>) -> Option<&'a str> {
    let from = sources(input);
    let skipped = |need: &&str| matches!(known.get(need), Some(Known::Skipped));
    from.first().copied().filter(|_| from.iter().all(skipped))
}

fn steps(plan: &Plan, known: &HashMap<&str, Known>) -> Map<String, Value> {
    let mut steps = Map::new();
    for task in &plan.tasks {
        if let Some(Known::Result { seen, .. }) = known.get(task.id.as_str()) {
            steps.insert(task.id.clone(), seen.clone());
            steps.insert(task.step.clone(), seen.clone());
        }
    }
    steps
}

fn seen(task: &PlannedTask, hit: &prepare::Hit) -> Value {
    let mut row = TaskRow::new("", &task.id, 0, &task.step, &task.operator);
    row.state = TaskState::Cached;
    row.metrics = Some(hit.row.metrics.clone());
    let output = |output: &CachedOutput| ArtifactRow {
        run: String::new(),
        task: task.id.clone(),
        port: output.port.clone(),
        kind: twinloom_meta::ArtifactKind::Dataset,
        name: output.artifact.id.name.to_string(),
        version: output.artifact.id.version,
        hash: output.artifact.id.hash.clone(),
        outcome: "cached".to_owned(),
        rows: output.rows,
    };
    scope::of_step(&row, &hit.outputs.iter().map(output).collect::<Vec<_>>())
}
