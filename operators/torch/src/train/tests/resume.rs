//! Stopping at any step and going on, with a real process that is killed.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tch::Tensor;
use tokio_util::sync::CancellationToken;
use twinloom_operators::train::{Config, Method};
use twinloom_sdk::{Context, OperatorError, PROTOCOL, Reporter, TaskDocument};
use twinloom_store::{FeatureStore, StoreLocation};

use super::loops::{adapter, model, sequences};
use crate::train::{Curve, Fit, run::set_threads, tokens::TokenWriter};

const CHILD: &str = "TWINLOOM_TEST_RESUME_CHILD";
const STEPS: u64 = 60;

/// An attempt in a home.
pub fn context(home: &Path, attempt: u32, cancelled: &CancellationToken, reporter: Reporter) -> Context {
    let work_dir = home.join("work").join(format!("task-{attempt}"));
    std::fs::create_dir_all(&work_dir).unwrap();
    let location = StoreLocation::new(home.join("store").to_string_lossy());
    let task: TaskDocument = serde_json::from_value(json!({
        "protocol": PROTOCOL, "run": "run", "dag": "dag", "task": "task", "attempt": attempt, "operator": "train",
        "config": {}, "config_hash": "hash", "inputs": {}, "outputs": {}, "store": location, "vectors": home,
        "work_dir": work_dir, "now": "1970-01-01T00:00:00Z", "seed": 1,
    }))
    .unwrap();
    let store = FeatureStore::open_for_staging(&location).unwrap();
    Context::new(Arc::new(task), store, reporter, cancelled.clone(), "2")
}

/// Trains in a home; every step leaves a checkpoint. `pause` slows the steps down.
fn train(
    home: &Path,
    attempt: u32,
    cancelled: &CancellationToken,
    pause: Duration,
) -> Result<(Curve, Vec<Vec<f32>>), OperatorError> {
    // Results repeat to the bit with one number of threads; this process may have another than the one that is killed.
    set_threads(2);
    let reporter = Reporter::new(move |_| std::thread::sleep(pause));
    let context = context(home, attempt, cancelled, reporter);
    let mut writer = TokenWriter::create(&context.work_dir().join("tokens")).unwrap();
    for (tokens, given) in sequences() {
        let tokens: Vec<u32> = tokens.iter().map(|token| *token as u32).collect();
        writer.push(&tokens, given).unwrap();
    }
    let file = writer.finish().unwrap();
    let mut model = model(1);
    let adapter = adapter(&model);
    model.attach(&adapter).unwrap();
    let config = Config {
        steps: Some(STEPS),
        batch: Some(2),
        accumulate: 2,
        eval_every: 7,
        checkpoint_every: 1,
        ..Config::of(Method::Lora)
    };
    let fit = Fit {
        context: &context,
        config: &config,
        model: &model,
        weights: adapter.weights(),
        train: &file,
        held: Some(&file),
        preference: None,
        seed: 5,
    };
    let curve = fit.run()?;
    let weights = adapter.weights();
    let flat = |weight: &Tensor| Vec::<f32>::try_from(weight.detach().view([-1])).unwrap();
    Ok((curve, weights.iter().map(flat).collect()))
}

fn undisturbed() -> (Curve, Vec<Vec<f32>>) {
    let home = tempfile::tempdir().unwrap();
    train(home.path(), 1, &CancellationToken::new(), Duration::ZERO).unwrap()
}

/// The step of the newest checkpoint in a home.
fn kept(home: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(home.join("work/checkpoints")).ok()?;
    let read = |path: &Path| {
        let text = std::fs::read(path.join("progress.json")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&text).ok()?["step"].as_u64()
    };
    entries.flatten().filter_map(|entry| read(&entry.path())).max()
}

fn assert_same(resumed: &(Curve, Vec<Vec<f32>>), expected: &(Curve, Vec<Vec<f32>>)) {
    assert!(
        resumed.0.resumed_from > 0 && resumed.0.resumed_from < STEPS,
        "{}",
        resumed.0.resumed_from
    );
    assert_eq!(resumed.0.losses, expected.0.losses);
    assert_eq!(resumed.0.held, expected.0.held);
    assert_eq!(resumed.1, expected.1, "bit for bit");
}

#[test]
fn a_killed_training_goes_on_to_the_same_weights() {
    let never = CancellationToken::new();
    if let Some(home) = std::env::var_os(CHILD) {
        let _ = train(Path::new(&home), 1, &never, Duration::from_millis(5));
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "train::tests::resume::a_killed_training_goes_on_to_the_same_weights",
        ])
        .env(CHILD, home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while kept(home.path()).is_none_or(|step| step < 9) {
        assert!(started.elapsed() < Duration::from_secs(120), "no checkpoint came");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = train(home.path(), 2, &never, Duration::ZERO).unwrap();
    assert_same(&resumed, &undisturbed());
    assert_eq!(
        kept(home.path()),
        None,
        "a finished training leaves no checkpoint"
    );
}

#[test]
fn a_stopped_training_saves_and_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let cancelled = CancellationToken::new();
    let stop = cancelled.clone();
    let folder = home.path().to_owned();
    let watcher = std::thread::spawn(move || {
        while kept(&folder).is_none_or(|step| step < 4) {
            std::thread::sleep(Duration::from_millis(2));
        }
        stop.cancel();
    });
    let error = train(home.path(), 1, &cancelled, Duration::from_millis(5)).unwrap_err();
    watcher.join().unwrap();
    assert_eq!(error.code, "task.cancelled");
    let resumed = train(home.path(), 2, &CancellationToken::new(), Duration::ZERO).unwrap();
    assert_same(&resumed, &undisturbed());
}
