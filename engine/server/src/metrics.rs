//! Figures for Prometheus.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use metrics::{Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::{sync::broadcast, task::JoinHandle};
use twinloom_meta::{Meta, MetaError, RunFilter, RunState, TaskState};
use twinloom_runtime::{Engine, EngineEvent};

/// Upper bounds of the buckets, in seconds.
const BUCKETS: [f64; 16] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0,
];
/// How often the process looks whether it is late.
const TICK: Duration = Duration::from_secs(1);
/// Tasks under way that are timed; beyond, the oldest are not.
const MOST_TASKS: usize = 100_000;
/// Open runs whose tasks are counted for the queue's depth.
const MOST_RUNS: u64 = 1_000;

/// What this process has counted.
#[derive(Clone)]
pub struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    queued: Arc<Mutex<HashMap<(String, String), Timestamp>>>,
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

impl Metrics {
    /// Nothing counted yet. Not the process's global recorder, so that several servers in one process stay apart.
    pub fn new() -> Self {
        let builder = PrometheusBuilder::new();
        let suffix = Matcher::Suffix("_seconds".to_owned());
        // The buckets are fixed and not empty, which is all that this can fail on.
        let builder = builder
            .set_buckets_for_metric(suffix, &BUCKETS)
            .unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let this = Self {
            recorder: Arc::new(recorder),
            handle,
            queued: Arc::default(),
        };
        this.describe();
        this
    }

    fn describe(&self) {
        let described: [(&'static str, &'static str); 5] = [
            (
                "twinloom_task_queue_seconds",
                "From a task's being ready to its start.",
            ),
            ("twinloom_task_run_seconds", "From a task's start to its end."),
            (
                "twinloom_scheduler_lag_seconds",
                "How late a one-second tick of the process is.",
            ),
            (
                "twinloom_http_request_seconds",
                "From a request to the head of its answer.",
            ),
            (
                "twinloom_event_lag_seconds",
                "From an event of the scheduler to this process's seeing it.",
            ),
        ];
        for (name, text) in described {
            self.recorder
                .describe_histogram(name.into(), Some(Unit::Seconds), text.into());
        }
        let counters: [(&'static str, &'static str); 5] = [
            ("twinloom_tasks_total", "Tasks that ended, by state and operator."),
            ("twinloom_runs_total", "Runs that ended, by state and DAG."),
            (
                "twinloom_cache_hits_total",
                "Tasks whose earlier result stood in.",
            ),
            (
                "twinloom_publications_total",
                "Dataset and model versions published.",
            ),
            ("twinloom_http_requests_total", "Requests, by route and status."),
        ];
        for (name, text) in counters {
            self.recorder.describe_counter(name.into(), None, text.into());
        }
        let gauges: [(&'static str, &'static str); 4] = [
            (
                "twinloom_queue_depth",
                "Tasks that are ready and wait for a slot.",
            ),
            ("twinloom_tasks_running", "Tasks under way."),
            ("twinloom_runs_open", "Runs that have not ended, by state."),
            ("twinloom_approvals_open", "Questions that wait for a person."),
        ];
        for (name, text) in gauges {
            self.recorder.describe_gauge(name.into(), None, text.into());
        }
    }

    /// Counts one.
    pub fn count(&self, name: &'static str, labels: &[(&'static str, &str)]) {
        self.recorder
            .register_counter(&key(name, labels), &METADATA)
            .increment(1);
    }

    /// Notes a duration in seconds.
    pub fn time(&self, name: &'static str, labels: &[(&'static str, &str)], seconds: f64) {
        self.recorder
            .register_histogram(&key(name, labels), &METADATA)
            .record(seconds.max(0.0));
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of runs and tasks")]
    fn set(&self, name: &'static str, labels: &[(&'static str, &str)], value: u64) {
        self.recorder
            .register_gauge(&key(name, labels), &METADATA)
            .set(value as f64);
    }

    /// Follows the scheduler, and watches the process's own punctuality.
    pub fn watch(&self, engine: &Engine, meta: Meta) -> JoinHandle<()> {
        let (this, mut events) = (self.clone(), engine.subscribe());
        tokio::spawn(async move {
            let mut due = Instant::now() + TICK;
            let mut cursor = meta.last_event().await.unwrap_or_default();
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Ok(event) => this.note(&event),
                        Err(broadcast::error::RecvError::Lagged(_)) => {}
                        Err(broadcast::error::RecvError::Closed) => return,
                    },
                    () = tokio::time::sleep_until(due.into()) => {
                        this.time("twinloom_scheduler_lag_seconds", &[], due.elapsed().as_secs_f64());
                        due = Instant::now() + TICK;
                        cursor = this.publications(&meta, cursor).await;
                    }
                }
            }
        })
    }

    /// Counts publications in the log after a cursor; the cursor after them.
    async fn publications(&self, meta: &Meta, cursor: i64) -> i64 {
        let Ok(rows) = meta.events_after(cursor, 10_000).await else {
            return cursor;
        };
        for row in &rows {
            let kind = match row.kind.as_str() {
                twinloom_meta::event::DATASET_PUBLISHED => "dataset",
                twinloom_meta::event::MODEL_REGISTERED => "model",
                _ => continue,
            };
            self.count("twinloom_publications_total", &[("kind", kind)]);
        }
        rows.last().map_or(cursor, |row| row.id)
    }

    fn note(&self, event: &EngineEvent) {
        match event {
            EngineEvent::Run { dag, state, at, .. } => {
                self.late(*at);
                if state.ended() {
                    self.count("twinloom_runs_total", &[("dag", dag), ("state", state.as_str())]);
                }
            }
            EngineEvent::Task {
                run,
                task,
                step,
                state,
                at,
                ..
            } => {
                self.late(*at);
                self.note_task(run, task, step, *state, *at);
            }
            _ => {}
        }
    }

    fn late(&self, at: Timestamp) {
        let lag = Timestamp::now().duration_since(at).as_secs_f64();
        self.time("twinloom_event_lag_seconds", &[], lag);
    }

    fn note_task(&self, run: &str, task: &str, step: &str, state: TaskState, at: Timestamp) {
        let mut since = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        let of_task = (run.to_owned(), task.to_owned());
        let before = since.remove(&of_task);
        let passed = before.map(|before| at.duration_since(before).as_secs_f64());
        match state {
            TaskState::Queued | TaskState::Running => {
                if since.len() < MOST_TASKS {
                    since.insert(of_task, at);
                }
                if let Some(passed) = passed.filter(|_| state == TaskState::Running) {
                    self.time("twinloom_task_queue_seconds", &[], passed);
                }
            }
            _ => {}
        }
        if state.ended() {
            self.count(
                "twinloom_tasks_total",
                &[("state", state.as_str()), ("step", step)],
            );
            if state == TaskState::Cached {
                self.count("twinloom_cache_hits_total", &[]);
            } else if let Some(passed) = passed {
                self.time("twinloom_task_run_seconds", &[("step", step)], passed);
            }
        }
    }

    /// Everything in Prometheus' text form, with what the database knows now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn render(&self, meta: &Meta) -> Result<String, MetaError> {
        let counts = meta.run_counts(Some(Timestamp::now())).await?;
        for state in RunState::OPEN {
            self.set(
                "twinloom_runs_open",
                &[("state", state.as_str())],
                counts.get(&state).copied().unwrap_or(0),
            );
        }
        let filter = RunFilter {
            states: vec![RunState::Running],
            limit: MOST_RUNS,
            ..RunFilter::default()
        };
        let runs: Vec<String> = meta.runs(&filter).await?.into_iter().map(|run| run.id).collect();
        let cells = meta.task_cells(&runs).await?;
        let of = |state: TaskState| cells.iter().filter(|cell| cell.state == state).count() as u64;
        self.set("twinloom_queue_depth", &[], of(TaskState::Queued));
        self.set("twinloom_tasks_running", &[], of(TaskState::Running));
        self.set(
            "twinloom_approvals_open",
            &[],
            meta.open_approvals(None).await?.len() as u64,
        );
        self.handle.run_upkeep();
        Ok(self.handle.render())
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels
        .iter()
        .map(|(name, value)| Label::new(*name, (*value).to_owned()))
        .collect();
    Key::from_parts(name, labels)
}
