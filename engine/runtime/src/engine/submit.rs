//! From a plan to a run.

use std::sync::Arc;

use twinloom_meta::{Change, RunRow, RunState, TaskRow};
use twinloom_spec::{Plan, PlannedInput};
use twinloom_store::{ArtifactKind, StoreError};

use super::Engine;
use crate::{
    EngineError, RunId, Submit,
    dispatcher::{Input, LEASE, Run, graph::Graph, run::Task},
    failpoint, prepare,
};

impl Engine {
    /// Creates a run; it is stored when this returns. Datasets and models from outside are pinned to the versions
    /// that stand now, so that the run repeats exactly wherever it is resumed.
    ///
    /// # Errors
    /// `run.unknown_operator`, `run.input` when there is no such dataset or model, `run.bad_plan`; what the database
    /// says.
    pub async fn submit(&self, submit: Submit) -> Result<RunId, EngineError> {
        self.submit_with(submit, Vec::new()).await
    }

    /// The same, with changes that are written in the transaction that stores the run: all of it stands, or nothing.
    pub(crate) async fn submit_with(
        &self,
        submit: Submit,
        changes: Vec<Change>,
    ) -> Result<RunId, EngineError> {
        let Submit {
            mut plan,
            dag_text,
            mut trigger,
            run_id,
        } = submit;
        if let (Some(trigger), Some(revision)) = (trigger.as_object_mut(), &self.shared.config.code_revision)
        {
            trigger.insert("code_revision".to_owned(), revision.as_str().into());
        }
        self.check_operators(&plan)?;
        self.pin(&mut plan).await?;
        self.reuse_best(&mut plan).await?;
        let graph = Graph::of(&plan)?;
        let id = run_id.unwrap_or_else(|| self.shared.config.clock.id());
        let now = self.shared.now();
        let lease_until = now.checked_add(LEASE).ok();
        let encoded = serde_json::to_value(&plan);
        let bad = |error: serde_json::Error| EngineError::BadPlan {
            dag: plan.dag.clone(),
            reason: error.to_string(),
        };
        let row = RunRow {
            id: id.clone(),
            dag: plan.dag.clone(),
            plan: encoded.map_err(bad)?,
            dag_text,
            params: plan.params.clone().into(),
            state: RunState::Queued,
            trigger,
            created_at: now,
            started_at: None,
            ended_at: None,
            owner: Some(self.shared.owner.to_string()),
            epoch: 1,
            lease_until,
            error: None,
        };
        let task = |(place, task): (usize, &twinloom_spec::PlannedTask)| {
            let position = u32::try_from(place).unwrap_or(u32::MAX);
            Task::new(TaskRow::new(&id, &task.id, position, &task.step, &task.operator))
        };
        let tasks = plan.tasks.iter().enumerate().map(task).collect();
        let mut run = Run::new(row, 1, Arc::new(plan), Arc::new(graph), tasks, true);
        run.changes = changes;
        failpoint::hit(failpoint::SUBMIT);
        self.take_on(run).await?;
        lease_until
            .into_iter()
            .for_each(|until| self.shared.leased(until));
        Ok(id)
    }

    pub(super) async fn take_on(&self, run: Run) -> Result<(), EngineError> {
        self.ask(|reply| Input::Start {
            run: Box::new(run),
            reply,
        })
        .await?
    }

    pub(super) fn check_operators(&self, plan: &Plan) -> Result<(), EngineError> {
        match plan
            .tasks
            .iter()
            .find(|task| self.shared.facts(&task.operator).is_none())
        {
            None => Ok(()),
            Some(task) => {
                let (task, operator) = (task.id.clone(), task.operator.clone());
                Err(EngineError::UnknownOperator { task, operator })
            }
        }
    }

    /// Replaces tags, aliases and `latest` by version numbers. What an optional port names and is not there is left
    /// out: the first run of a DAG that compares with production has nothing to compare with.
    async fn pin(&self, plan: &mut Plan) -> Result<(), EngineError> {
        for task in &mut plan.tasks {
            let facts = self.shared.facts(&task.operator);
            let mut absent = Vec::new();
            for (port, input) in &mut task.inputs {
                let (kind, reference) = match input {
                    PlannedInput::Dataset { reference } => (ArtifactKind::Dataset, reference),
                    PlannedInput::Model { reference } => (ArtifactKind::Model, reference),
                    _ => continue,
                };
                match prepare::pinned(&self.shared.config.store, kind, reference).await {
                    Ok(artifact) => *reference = artifact.id.to_string(),
                    Err(StoreError::NotFound { .. })
                        if facts.is_some_and(|facts| facts.is_optional(port)) =>
                    {
                        absent.push(port.clone());
                    }
                    Err(source) => {
                        return Err(EngineError::Input {
                            task: task.id.clone(),
                            port: port.clone(),
                            source: Box::new(source),
                        });
                    }
                }
            }
            for port in absent {
                task.inputs.shift_remove(&port);
            }
        }
        Ok(())
    }
}
