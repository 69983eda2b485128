//! A run in memory: its tasks, what they wait for, and what is to be written about them.

use std::{collections::VecDeque, sync::Arc};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use twinloom_meta::{
    ApprovalRow, ArtifactRow, Change, Field, MetricPoint, RunHead, RunRow, RunState, TaskRow, TaskState,
    TaskUpdate,
};
use twinloom_spec::Plan;

use super::{RunKey, graph::Graph};
use crate::{
    EngineError, EngineEvent, RunSummary, WaitFor,
    prepare::{Job, Ready},
    summary,
    writer::After,
};

/// Someone who waits for a run.
pub struct Waiter {
    /// For what.
    pub until: WaitFor,
    /// Where the summary goes.
    pub reply: oneshot::Sender<Result<Option<RunSummary>, EngineError>>,
}

/// A run that this engine owns.
pub struct Run {
    /// Its id.
    pub key: RunKey,
    /// The epoch of this ownership.
    pub epoch: i64,
    /// Its row.
    pub head: RunHead,
    /// What it follows.
    pub plan: Arc<Plan>,
    /// Who waits for whom.
    pub graph: Arc<Graph>,
    /// Its tasks, in the plan's order.
    pub tasks: Vec<Task>,
    /// The row to insert, while that has not happened.
    pub insert: Option<Box<RunRow>>,
    /// Set once someone wants it stopped.
    pub cancelling: bool,
    /// Who waits for it.
    pub waiters: Vec<Waiter>,
    /// The state that is committed.
    pub stands: Option<RunState>,
    /// Rows to write with the next commit.
    pub changes: Vec<Change>,
    /// What to do after it.
    pub after: Vec<After>,
    /// Tasks to prepare once what they build on is committed.
    pub to_prepare: Vec<Job>,
    /// Points of curves to write.
    pub metrics: Vec<MetricPoint>,
    /// Tasks whose needs have ended.
    pub unblocked: VecDeque<usize>,
    dirty: Vec<usize>,
    head_dirty: bool,
    counts: [usize; 4],
}

/// A task in memory.
pub struct Task {
    /// Its row, ahead of the database by at most the commits under way.
    pub row: TaskRow,
    /// Where it stands, finer than its state.
    pub phase: Phase,
    /// Tasks that it needs and that have not ended.
    pub open_needs: usize,
    /// What it published.
    pub outputs: Vec<ArtifactRow>,
    /// What its attempts need.
    pub ready: Option<Box<Ready>>,
    /// Attempts that failed, for the limit of retries.
    pub failures: u32,
    /// Times that it had succeeded before it was asked to run again.
    pub generation: u32,
    /// Look for no earlier result.
    pub fresh: bool,
    /// The question that it waits on.
    pub approval: Option<ApprovalRow>,
    /// The answer, for its next attempt.
    pub decision: Option<twinloom_sdk::Decision>,
    /// Ends its attempt.
    pub cancel: Option<CancellationToken>,
    is_dirty: bool,
    is_prepared_dirty: bool,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Needs tasks that have not ended.
    Blocked,
    /// Is being prepared.
    Preparing,
    /// Wants a slot.
    Queued,
    /// Waits for its next attempt.
    Delayed,
    /// An attempt runs.
    Running,
    /// Its artifacts are being committed.
    Publishing,
    /// Waits for a person.
    Waiting,
    /// Is over.
    Ended,
}

impl Phase {
    /// Index into the counts: blocked, live, waiting, ended.
    fn kind(self) -> usize {
        match self {
            Self::Blocked => 0,
            Self::Preparing | Self::Queued | Self::Delayed | Self::Running | Self::Publishing => 1,
            Self::Waiting => 2,
            Self::Ended => 3,
        }
    }
}

impl Task {
    /// A task as its row says, with nothing in memory.
    pub fn new(row: TaskRow) -> Self {
        Self {
            row,
            phase: Phase::Blocked,
            open_needs: 0,
            outputs: Vec::new(),
            ready: None,
            failures: 0,
            generation: 0,
            fresh: false,
            approval: None,
            decision: None,
            cancel: None,
            is_dirty: false,
            is_prepared_dirty: false,
        }
    }
}

impl Run {
    /// A run with its tasks as they stand; `row` keeps the plan only where it is to be inserted.
    pub fn new(
        row: RunRow,
        epoch: i64,
        plan: Arc<Plan>,
        graph: Arc<Graph>,
        tasks: Vec<Task>,
        insert: bool,
    ) -> Self {
        let mut run = Self {
            key: Arc::from(row.id.as_str()),
            epoch,
            head: row.head(),
            plan,
            graph,
            tasks,
            insert: insert.then(|| Box::new(row)),
            cancelling: false,
            waiters: Vec::new(),
            stands: None,
            changes: Vec::new(),
            after: Vec::new(),
            to_prepare: Vec::new(),
            metrics: Vec::new(),
            unblocked: VecDeque::new(),
            dirty: Vec::new(),
            head_dirty: false,
            counts: [0; 4],
        };
        for index in 0..run.tasks.len() {
            let needs = run.graph.needs(index).iter();
            let open = needs
                .filter(|need| run.tasks.get(**need).is_some_and(|task| !task.row.state.ended()))
                .count();
            let Some(task) = run.tasks.get_mut(index) else {
                continue;
            };
            task.open_needs = open;
            task.phase = match task.row.state {
                TaskState::Waiting => Phase::Waiting,
                state if state.ended() => Phase::Ended,
                _ => Phase::Blocked,
            };
            run.counts[task.phase.kind()] += 1;
        }
        run
    }

    /// Whether every task is over.
    pub fn all_ended(&self) -> bool {
        self.counts[Phase::Ended.kind()] == self.tasks.len()
    }

    /// Whether only a person can move it on.
    pub fn only_waits(&self) -> bool {
        self.unblocked.is_empty()
            && self.counts[Phase::Running.kind()] == 0
            && self.counts[Phase::Waiting.kind()] > 0
    }

    /// Whether it is written down that only a person can move it on, and that still holds.
    pub fn rests(&self) -> bool {
        self.stands == Some(RunState::Waiting) && self.only_waits()
    }

    /// Whether a task waits for a person.
    pub fn has_waiting(&self) -> bool {
        self.counts[Phase::Waiting.kind()] > 0
    }

    /// Moves a task to a phase.
    pub fn set_phase(&mut self, index: usize, phase: Phase) {
        if let Some(task) = self.tasks.get_mut(index) {
            self.counts[task.phase.kind()] -= 1;
            self.counts[phase.kind()] += 1;
            task.phase = phase;
        }
    }

    /// Changes a task's row; the change is written with the next commit.
    pub fn update(&mut self, index: usize, change: impl FnOnce(&mut TaskRow)) {
        if let Some(task) = self.tasks.get_mut(index) {
            change(&mut task.row);
            if !task.is_dirty {
                task.is_dirty = true;
                self.dirty.push(index);
            }
        }
    }

    /// The configuration, cache key or figures of a task have changed as well.
    pub fn touch_result(&mut self, index: usize) {
        if let Some(task) = self.tasks.get_mut(index) {
            task.is_prepared_dirty = true;
        }
    }

    /// Changes the run's row, likewise.
    pub fn update_head(&mut self, change: impl FnOnce(&mut RunHead)) {
        change(&mut self.head);
        self.head_dirty = true;
    }

    /// Takes what is to be written: the rows that have changed, and whatever was added on the way.
    pub fn take_changes(&mut self, now: Timestamp, listeners: bool) -> (Vec<Change>, Vec<After>) {
        let mut changes = Vec::with_capacity(self.dirty.len() + self.changes.len() + 2);
        let mut events = Vec::new();
        let dirty = std::mem::take(&mut self.dirty);
        let inserting = self.insert.is_some();
        if let Some(mut row) = self.insert.take() {
            (row.state, row.started_at, row.ended_at) =
                (self.head.state, self.head.started_at, self.head.ended_at);
            row.error = self.head.error.clone();
            changes.push(Change::InsertRun(row));
            changes.push(Change::InsertTasks(
                self.tasks.iter().map(|task| task.row.clone()).collect(),
            ));
        } else if self.head_dirty {
            changes.push(Change::UpdateRun(twinloom_meta::RunUpdate {
                id: self.head.id.clone(),
                state: Some(self.head.state),
                started_at: Field::of(self.head.started_at),
                ended_at: Field::of(self.head.ended_at),
                error: Field::of(self.head.error.clone()),
            }));
        }
        if self.head_dirty || inserting {
            if listeners {
                let (run, dag) = (self.head.id.clone(), self.head.dag.clone());
                events.push(After::Emit(EngineEvent::Run {
                    run,
                    dag,
                    state: self.head.state,
                    at: now,
                }));
            }
            events.push(After::State(self.head.state));
        }
        self.head_dirty = false;
        for index in dirty {
            let Some(task) = self.tasks.get_mut(index) else {
                continue;
            };
            if !inserting {
                changes.push(Change::UpdateTask(Box::new(update_of(
                    &task.row,
                    task.is_prepared_dirty,
                ))));
            }
            (task.is_dirty, task.is_prepared_dirty) = (false, false);
            if listeners {
                events.push(After::Emit(event_of(&task.row, now)));
            }
        }
        if !self.metrics.is_empty() {
            changes.push(Change::Metrics(std::mem::take(&mut self.metrics)));
        }
        changes.append(&mut self.changes);
        events.append(&mut self.after);
        if !self.to_prepare.is_empty() {
            events.push(After::Prepare(std::mem::take(&mut self.to_prepare)));
        }
        (changes, events)
    }

    /// The run as it stands in memory.
    pub fn summary(&self) -> RunSummary {
        let mut run = summary::head(&self.head);
        run.tasks = self
            .tasks
            .iter()
            .map(|task| {
                let question = task.approval.as_ref().map(|approval| approval.request.clone());
                summary::task(
                    &task.row,
                    task.outputs.iter().map(summary::output).collect(),
                    question,
                )
            })
            .collect();
        run
    }

    /// Places of tasks by id.
    pub fn index_of(&self, task: &str) -> Option<usize> {
        self.graph.index_of(task)
    }

    /// Tasks by phase, for the few things that have to look at all.
    pub fn indices(&self, phase: Phase) -> Vec<usize> {
        let tasks = self.tasks.iter().enumerate();
        tasks
            .filter(|(_, task)| task.phase == phase)
            .map(|(index, _)| index)
            .collect()
    }
}

fn update_of(row: &TaskRow, result: bool) -> TaskUpdate {
    let json = |value: &Option<serde_json::Value>| {
        if result {
            Field::of(value.clone())
        } else {
            Field::Keep
        }
    };
    TaskUpdate {
        run: row.run.clone(),
        id: row.id.clone(),
        state: Some(row.state),
        attempt: Some(row.attempt),
        config: json(&row.config),
        cache_key: if result {
            Field::of(row.cache_key.clone())
        } else {
            Field::Keep
        },
        metrics: json(&row.metrics),
        error: Field::of(row.error.clone()),
        reason: Field::of(row.reason.clone()),
        queued_at: Field::of(row.queued_at),
        started_at: Field::of(row.started_at),
        ended_at: Field::of(row.ended_at),
        next_attempt_at: Field::of(row.next_attempt_at),
    }
}

fn event_of(row: &TaskRow, at: Timestamp) -> EngineEvent {
    EngineEvent::Task {
        run: row.run.clone(),
        task: row.id.clone(),
        step: row.step.clone(),
        state: row.state,
        attempt: row.attempt,
        reason: row.reason.clone(),
        error: row.error.clone(),
        at,
    }
}
