//! From a task whose needs have ended to one that wants a slot.

use std::sync::Arc;

use twinloom_meta::{ArtifactRow, Change, TaskState};
use twinloom_sdk::OperatorError;

use super::{
    Core, Run, TaskRef,
    inputs::{self, Flow},
    run::Phase,
    search,
};
use crate::{
    failpoint,
    index::kind_of,
    prepare::{self, Hit, Job, Prepared, Ready},
    scope,
    writer::After,
};

impl Core {
    /// Moves every task on whose needs have ended.
    pub fn settle(&mut self, run: &mut Run) {
        while let Some(index) = run.unblocked.pop_front() {
            if run.tasks[index].phase == Phase::Blocked && run.head.state != twinloom_meta::RunState::Queued {
                self.judge(run, index);
            }
        }
    }

    fn judge(&mut self, run: &mut Run, index: usize) {
        let planned = &run.plan.tasks[index];
        let facts = self.shared.facts(&planned.operator);
        let flow = inputs::flow(run, index, |port| {
            facts.is_some_and(|facts| facts.is_optional(port))
        });
        let inputs = match flow {
            Flow::Go(inputs) => inputs,
            Flow::Broken(reason) => return self.end(run, index, TaskState::UpstreamFailed, Some(reason)),
            Flow::Dry(reason) => return self.end(run, index, TaskState::Skipped, Some(reason)),
            Flow::Failed(error) => return self.fail_for_good(run, index, &error),
        };
        let now = self.shared.now();
        let scope = run.graph.looks_at_steps(index).then(|| {
            let steps = inputs::steps(run, index);
            scope::of_task(&run.plan.params, &run.key, &run.plan.dag, planned, steps)
        });
        let task = TaskRef {
            run: Arc::clone(&run.key),
            epoch: run.epoch,
            index,
        };
        let fresh = run.tasks[index].fresh || !planned.cache;
        let job = Job {
            task,
            plan: Arc::clone(&run.plan),
            inputs,
            scope,
            fresh,
        };
        let answered = run.tasks[index].decision.is_some();
        run.set_phase(index, Phase::Preparing);
        run.update(index, |row| {
            row.state = TaskState::Queued;
            // Kept while an answer is at hand: an answer counts for the question that was queued before it.
            if !answered {
                row.queued_at = Some(now);
            }
            row.next_attempt_at = None;
        });
        match prepare::plain(&self.shared, Box::new(job)) {
            Ok(prepared) => self.prepared(run, index, prepared),
            Err(job) => run.to_prepare.push(*job),
        }
    }

    /// A task is prepared.
    pub fn prepared(&mut self, run: &mut Run, index: usize, prepared: Prepared) {
        if run.tasks[index].phase != Phase::Preparing {
            return;
        }
        match prepared {
            Prepared::Skip(reason) => self.end(run, index, TaskState::Skipped, Some(reason)),
            Prepared::Failed(error) => self.fail(run, index, &error),
            Prepared::Cached(ready, hit) => self.cached(run, index, *ready, *hit),
            Prepared::Ready(ready) => {
                run.tasks[index].ready = Some(ready);
                self.enqueue(run, index);
            }
        }
    }

    /// The task wants a slot.
    pub fn enqueue(&mut self, run: &mut Run, index: usize) {
        run.set_phase(index, Phase::Queued);
        let pool = run.plan.tasks[index].pool.clone();
        let waits = pool
            .as_deref()
            .and_then(|pool| self.slots.why_waiting(Some(pool)));
        run.update(index, |row| {
            row.state = TaskState::Queued;
            row.reason = waits;
        });
        let task = TaskRef {
            run: Arc::clone(&run.key),
            epoch: run.epoch,
            index,
        };
        let priority = run.plan.concurrency.priority;
        self.slots.enqueue(task, pool.as_deref(), &run.head.dag, priority);
    }

    fn cached(&mut self, run: &mut Run, index: usize, ready: Ready, hit: Hit) {
        let task = &mut run.tasks[index];
        let artifact = |output: prepare::CachedOutput| ArtifactRow {
            run: task.row.run.clone(),
            task: task.row.id.clone(),
            port: output.port,
            kind: kind_of(output.artifact.kind),
            name: output.artifact.id.name.to_string(),
            version: output.artifact.id.version,
            hash: output.artifact.id.hash,
            outcome: "cached".to_owned(),
            rows: output.rows,
        };
        task.outputs = hit.outputs.into_iter().map(artifact).collect();
        run.changes
            .extend(run.tasks[index].outputs.iter().cloned().map(Change::Artifact));
        run.after.push(After::FailPoint(failpoint::CACHED));
        let reason = format!("cached from run {}, task `{}`", hit.row.run, hit.row.task);
        run.update(index, |row| {
            row.config = Some(ready.config);
            row.cache_key = ready.cache_key;
            row.metrics = Some(hit.row.metrics);
        });
        run.touch_result(index);
        self.end(run, index, TaskState::Cached, Some(reason));
    }

    /// A task is over; those that needed it may be free to go.
    pub fn end(&mut self, run: &mut Run, index: usize, state: TaskState, reason: Option<String>) {
        let now = self.shared.now();
        run.set_phase(index, Phase::Ended);
        run.update(index, |row| {
            row.state = state;
            row.reason = reason;
            row.ended_at = Some(now);
            row.next_attempt_at = None;
        });
        let task = &mut run.tasks[index];
        (task.ready, task.cancel, task.decision) = (None, None, None);
        let graph = Arc::clone(&run.graph);
        for dependent in graph.dependents(index) {
            let task = &mut run.tasks[*dependent];
            task.open_needs = task.open_needs.saturating_sub(1);
            if task.open_needs == 0 && task.phase == Phase::Blocked {
                run.unblocked.push_back(*dependent);
            }
        }
    }

    /// A task is over because of an error that trying again does not mend.
    pub fn fail_for_good(&mut self, run: &mut Run, index: usize, error: &OperatorError) {
        let value = serde_json::to_value(error).ok();
        run.update(index, |row| row.error = value);
        if search::can_do_without(run, index) {
            let reason = format!("left out of the search: {}", error.message);
            return self.end(run, index, TaskState::Skipped, Some(reason));
        }
        self.end(run, index, TaskState::Failed, None);
    }
}
