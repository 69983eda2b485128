//! How long small runs take and how many tasks a second a wide one gets through; one JSON line a figure.
//!
//! `cargo bench -p twinloom-runtime --bench runs [-- NAME …]`. The database is a file, in WAL mode with synchronous
//! FULL; operators do nothing. With `worker` as its argument the program is the worker of the process figures.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "bench"
)]
#![allow(dead_code, unused_imports, reason = "the modules are the tests'")]

#[path = "../tests/main/operators.rs"]
mod operators;
#[path = "../tests/main/plans.rs"]
mod plans;
#[path = "../tests/main/support.rs"]
mod support;

use std::{
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use plans::{TaskExt, plan, task};
use serde_json::{Value, json};
use tempfile::TempDir;
use twinloom_meta::RunState;
use twinloom_runtime::{Engine, Programs, WaitFor};
use twinloom_spec::{Plan, PlannedTask};

const WARM_UP: usize = 20;
const SAMPLES: usize = 200;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    if args.first().is_some_and(|arg| arg == "worker") {
        return twinloom_sdk::worker::serve(&operators::registry());
    }
    if args.first().is_some_and(|arg| arg == "nothing") {
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| args.is_empty() || args.iter().any(|arg| name.starts_with(arg.as_str()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        if wanted("dag_3_steps") {
            three_steps(Class::InProcess).await;
            three_steps(Class::Process).await;
        }
        if wanted("fanout_tasks_per_s") {
            for tasks in [40, 400, 10_000] {
                fanout(Class::InProcess, tasks).await;
            }
            for tasks in [40, 400] {
                fanout(Class::Process, tasks).await;
            }
        }
        if wanted("process_overhead") {
            process_overhead().await;
        }
        if wanted("trigger_to_start_p50_ms") {
            trigger_to_start().await;
        }
        if wanted("runs_per_minute") {
            runs_per_minute().await;
        }
        if wanted("list_runs_p50_ms") {
            list_runs().await;
        }
    });
    ExitCode::SUCCESS
}

/// Where the tasks of a workload run.
#[derive(Clone, Copy)]
enum Class {
    InProcess,
    Process,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in-process",
            Self::Process => "process",
        }
    }

    fn idle(self, id: &str) -> PlannedTask {
        let idle = task(id, "idle", json!({}));
        match self {
            Self::InProcess => idle,
            Self::Process => idle.in_process(),
        }
    }
}

async fn three_steps(class: Class) {
    let (_home, engine) = engine(8).await;
    let mut times = Vec::with_capacity(SAMPLES);
    for sample in 0..WARM_UP + SAMPLES {
        let steps = vec![
            class.idle("first"),
            class.idle("second").after("first"),
            class.idle("third").after("second"),
        ];
        let took = timed(&engine, plan("three", steps)).await;
        if sample >= WARM_UP {
            times.push(took);
        }
    }
    for (bench, part) in [("dag_3_steps_p50_ms", 0.50), ("dag_3_steps_p95_ms", 0.95)] {
        let value = percentile(&mut times, part);
        emit(
            bench,
            value,
            "ms",
            json!({ "class": class.name(), "samples": SAMPLES }),
        );
    }
}

async fn fanout(class: Class, tasks: usize) {
    let (_home, engine) = engine(64).await;
    let wide = || {
        plan(
            "fanout",
            (0..tasks)
                .map(|index| class.idle(&format!("note[{index}]")))
                .collect(),
        )
    };
    let mut best = f64::MAX;
    for _ in 0..if tasks > 1000 { 2 } else { 5 } {
        best = best.min(timed(&engine, wide()).await);
    }
    let rate = tasks as f64 / (best / 1000.0);
    emit(
        "fanout_tasks_per_s",
        rate,
        "tasks/s",
        json!({ "class": class.name(), "tasks": tasks }),
    );
}

/// One no-op task in a process, over a bare spawn of the same program; both from the request to the end.
async fn process_overhead() {
    let (_home, engine) = engine(8).await;
    let program = std::env::current_exe().unwrap();
    let (mut inline, mut process, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for sample in 0..10 + 60 {
        let one = || task("note", "idle", json!({}));
        let (a, b) = (
            timed(&engine, plan("inline", vec![one()])).await,
            timed(&engine, plan("process", vec![one().in_process()])).await,
        );
        let started = Instant::now();
        let status = Command::new(&program)
            .arg("nothing")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let c = milliseconds(started.elapsed());
        if sample >= 10 {
            inline.push(a);
            process.push(b);
            bare.push(c);
        }
    }
    let (inline, process, bare) = (
        percentile(&mut inline, 0.5),
        percentile(&mut process, 0.5),
        percentile(&mut bare, 0.5),
    );
    let extra =
        json!({ "class": "process", "process_ms": process, "inline_ms": inline, "bare_spawn_ms": bare });
    emit("process_overhead_ms", process - bare, "ms", extra);
}

/// From the event of a published version to the start of the first task of the run that it triggers, as the database has
/// both; the publication's own commit counts.
async fn trigger_to_start() {
    let (home, engine) = engine(8).await;
    support::write_dag(home.path(), "user", "on: {datasets: {any: [a]}}");
    let service = support::service(engine.clone()).await;
    let meta = &engine.config().meta;
    for sample in 0..i64::try_from(WARM_UP + SAMPLES).unwrap() {
        support::publish(&engine, "a", sample..sample + 1).await;
        let runs = async || {
            let fired = support::events(meta, twinloom_meta::event::TRIGGER_FIRED).await;
            fired.len() as i64
        };
        while runs().await <= sample {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    let events: std::collections::BTreeMap<i64, jiff::Timestamp> =
        support::events(meta, twinloom_meta::event::DATASET_PUBLISHED)
            .await
            .into_iter()
            .map(|row| (row.id, row.at))
            .collect();
    let mut times = Vec::new();
    for run in support::runs_of(&engine, "user").await.into_iter().skip(WARM_UP) {
        let published = events[&run.trigger["event"].as_i64().unwrap()];
        let started = meta.tasks(&run.id).await.unwrap()[0].started_at.unwrap();
        times.push(milliseconds(
            Duration::try_from(started.duration_since(published)).unwrap(),
        ));
    }
    let p95 = percentile(&mut times, 0.95);
    emit(
        "trigger_to_start_p50_ms",
        percentile(&mut times, 0.5),
        "ms",
        json!({ "class": "in-process", "samples": times.len(), "p95_ms": p95 }),
    );
    service.shutdown().await;
}

/// Two-task runs asked for at a steady 1,500 a minute, for 20 seconds or TWINLOOM_BENCH_SECONDS.
async fn runs_per_minute() {
    let (_home, engine) = engine(8).await;
    let seconds: u64 = std::env::var("TWINLOOM_BENCH_SECONDS").map_or(20, |text| text.parse().unwrap());
    let two = || {
        plan(
            "two",
            vec![
                task("first", "idle", json!({})),
                task("second", "idle", json!({})).after("first"),
            ],
        )
    };
    let mut every = tokio::time::interval(Duration::from_millis(40));
    let started = Instant::now();
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..seconds * 25 {
        every.tick().await;
        let (engine, plan) = (engine.clone(), two());
        runs.spawn(async move { timed(&engine, plan).await });
    }
    let mut times = runs.join_all().await;
    let rate = times.len() as f64 / (started.elapsed().as_secs_f64() / 60.0);
    let (p50, p95) = (percentile(&mut times, 0.5), percentile(&mut times, 0.95));
    let extra = json!({ "class": "in-process", "end_to_end_p50_ms": p50, "end_to_end_p95_ms": p95, "seconds": seconds });
    emit("runs_per_minute", rate, "runs/min", extra);
}

/// Pages of 50 among 100,000 runs: the first one, one of a DAG, of a state, of both, and one from the middle.
async fn list_runs() {
    use twinloom_meta::{Change, RunFilter, RunRow, RunState};
    let (_home, engine) = engine(1).await;
    let meta = &engine.config().meta;
    let began = jiff::Timestamp::from_second(1_700_000_000).unwrap();
    for thousand in 0..100 {
        let run = |number: i64| {
            let at = began + jiff::SignedDuration::from_secs(number);
            let state = [RunState::Succeeded, RunState::Failed][usize::from(number % 10 == 0)];
            Change::from(RunRow {
                id: format!("01RUN{number:021}"),
                dag: format!("dag-{}", number % 20),
                plan: Value::Null,
                dag_text: String::new(),
                params: json!({}),
                state,
                trigger: json!({ "kind": "manual" }),
                created_at: at,
                started_at: Some(at),
                ended_at: Some(at),
                owner: None,
                epoch: 1,
                lease_until: None,
                error: None,
            })
        };
        meta.apply((thousand * 1000..(thousand + 1) * 1000).map(run).collect(), &[])
            .await
            .unwrap();
    }
    let page = || RunFilter {
        limit: 50,
        ..RunFilter::default()
    };
    let (dag, failed) = (Some("dag-0".to_owned()), vec![RunState::Failed]);
    let kinds = [
        ("first", page()),
        (
            "dag",
            RunFilter {
                dag: dag.clone(),
                ..page()
            },
        ),
        (
            "state",
            RunFilter {
                states: failed.clone(),
                ..page()
            },
        ),
        (
            "dag and state",
            RunFilter {
                dag,
                states: failed,
                ..page()
            },
        ),
        (
            "states",
            RunFilter {
                states: vec![RunState::Succeeded, RunState::Failed],
                ..page()
            },
        ),
        (
            "middle",
            RunFilter {
                before: Some(format!("01RUN{:021}", 50_000)),
                ..page()
            },
        ),
    ];
    for (kind, filter) in kinds {
        let mut times = Vec::new();
        for _ in 0..50 {
            let started = Instant::now();
            assert_eq!(meta.runs(&filter).await.unwrap().len(), 50);
            times.push(milliseconds(started.elapsed()));
        }
        let extra = json!({ "class": "in-process", "page": kind, "runs": 100_000 });
        emit("list_runs_p50_ms", percentile(&mut times, 0.5), "ms", extra);
    }
}

async fn engine(max_parallel: usize) -> (TempDir, Engine) {
    let home = tempfile::tempdir().unwrap();
    let mut config = support::config(home.path()).await;
    config.max_parallel = max_parallel;
    let worker = vec![std::env::current_exe().unwrap().into_os_string(), "worker".into()];
    config.programs = Programs { worker, torch: None };
    (home, Engine::start(config).await.unwrap())
}

/// Milliseconds from the request to the end.
async fn timed(engine: &Engine, plan: Plan) -> f64 {
    let submit = support::submit(plan);
    let started = Instant::now();
    let run = engine.submit(submit).await.unwrap();
    let ended = engine.wait(&run, WaitFor::Ended).await.unwrap();
    let took = milliseconds(started.elapsed());
    assert_eq!(ended.state, RunState::Succeeded);
    took
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn percentile(times: &mut [f64], part: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * part).round() as usize]
}

fn emit(bench: &str, value: f64, unit: &str, extra: Value) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next());
    let peak = peak.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or_default() / 1024.0;
    let mut row = json!({
        "bench": bench, "system": "twinloom", "value": (value * 1000.0).round() / 1000.0, "unit": unit,
        "peak_rss_mib": (peak * 10.0).round() / 10.0, "machine": std::env::consts::ARCH,
    });
    if let (Some(row), Value::Object(extra)) = (row.as_object_mut(), extra) {
        row.extend(extra);
    }
    println!("{row}");
}
