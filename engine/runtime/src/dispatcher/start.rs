//! Starting an attempt.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use twinloom_meta::{AttemptRow, Change, TaskState};
use twinloom_sdk::{PROTOCOL, Runs, TaskDocument};

use super::{Core, Launch, Run, TaskRef, attempt, inputs, run::Phase};
use crate::{
    executor::{Limits, Program},
    secrets,
    writer::After,
};

impl Core {
    /// A slot is there for the task: its next attempt is written down, and starts once that stands.
    pub fn start(&mut self, run: &mut Run, index: usize) {
        if run.tasks[index].phase != Phase::Queued {
            return;
        }
        let Some(ready) = run.tasks[index].ready.clone() else {
            return;
        };
        let planned = &run.plan.tasks[index];
        self.slots.take(planned.pool.as_deref());
        self.attempts += 1;
        let now = self.shared.now();
        let number = run.tasks[index].row.attempt + 1;
        let cancel = CancellationToken::new();
        let config = &self.shared.config;
        let document = TaskDocument {
            protocol: PROTOCOL,
            run: run.key.to_string(),
            dag: run.plan.dag.clone(),
            task: planned.id.clone(),
            attempt: number,
            operator: planned.operator.clone(),
            config: ready.config.clone(),
            config_hash: ready.config_hash.clone(),
            inputs: ready.inputs.clone(),
            outputs: ready.outputs.clone(),
            store: config.store.location().clone(),
            vectors: config.home.join("vectors"),
            work_dir: attempt::work_dir(&config.home, &run.key, &planned.id, number),
            now,
            seed: ready.seed,
            code_revision: config.code_revision.clone(),
            decision: run.tasks[index].decision.clone(),
            upstream_metrics: inputs::upstream_metrics(run, index),
        };
        let limits = Limits {
            timeout: planned.timeout,
            memory: planned.resources.memory,
            cpu_time: planned.resources.cpu_time,
            threads: planned.resources.threads,
        };
        let runs = self
            .shared
            .facts(&planned.operator)
            .map_or(Runs::Inline, |facts| facts.runs);
        let program = match (planned.executor.as_deref(), runs) {
            (Some("inline"), _) | (None, Runs::Inline) => None,
            (_, Runs::Torch) => Some(Program::Torch),
            (_, Runs::Inline | Runs::Process) => Some(Program::Worker),
        };
        let task = TaskRef {
            run: Arc::clone(&run.key),
            epoch: run.epoch,
            index,
        };
        let launch = Launch {
            task,
            secrets: secrets::named(&planned.config, &document.config),
            document,
            limits,
            program,
            cancel: cancel.clone(),
        };
        run.changes.push(Change::InsertAttempt(Box::new(AttemptRow {
            run: run.key.to_string(),
            task: planned.id.clone(),
            attempt: number,
            pid: None,
            pgid: None,
            process: None,
            started_at: now,
            ended_at: None,
            outcome: None,
            error: None,
        })));
        run.after.push(After::Launch(Box::new(launch)));
        run.tasks[index].cancel = Some(cancel);
        run.set_phase(index, Phase::Running);
        run.update(index, |row| {
            row.state = TaskState::Running;
            row.attempt = number;
            row.config = Some(ready.config);
            row.cache_key = ready.cache_key;
            row.reason = None;
            row.error = None;
            row.started_at = Some(now);
            row.ended_at = None;
            row.next_attempt_at = None;
        });
        run.touch_result(index);
    }
}
