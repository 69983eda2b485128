//! Killed at any moment and resumed, a run ends as if nothing had happened: same versions, nothing doubled.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Instant,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use twinloom_meta::{Meta, RunState, event};
use twinloom_runtime::failpoint;

use crate::{
    plans::eventful,
    support::{self, events, testbed},
};

const RUN: &str = "01JCRASH000000000000000000";

/// What a run leaves: artifacts by name and version with their hashes, and how often each event was written.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    artifacts: BTreeSet<(String, u64, String)>,
    events: BTreeMap<(String, String), usize>,
    aliases: BTreeMap<String, u64>,
}

#[test]
fn killed_at_every_transition_it_ends_the_same() {
    let expected = undisturbed();
    let mut cases = Vec::new();
    for point in failpoint::ALL {
        // The passes of commits are many; the others are few, and a pass that does not come kills nobody.
        let passes: &[u32] = match *point {
            failpoint::BEFORE_COMMIT | failpoint::AFTER_COMMIT => &[1, 2, 3, 5, 8, 12],
            failpoint::BEFORE_LAUNCH
            | failpoint::STAGED
            | failpoint::STORE_COMMITTED
            | failpoint::PUBLISHED => &[1, 3, 5],
            _ => &[1],
        };
        cases.extend(passes.iter().map(|pass| format!("{point}:{pass}")));
    }
    let killed = in_parallel(cases, |case| {
        let home = tempfile::tempdir().unwrap();
        // A claim is passed only by whoever resumes.
        if case.starts_with(failpoint::CLAIMED) {
            assert!(!run(home.path(), "staged:2").success());
        }
        let killed = !run(home.path(), case).success();
        finish(home.path());
        assert_eq!(left(home.path()), expected, "killed at {case}");
        (case.split(':').next().unwrap().to_owned(), killed)
    });
    for point in failpoint::ALL {
        assert!(
            killed.iter().any(|(name, killed)| name == point && *killed),
            "{point} is never passed"
        );
    }
}

#[test]
fn killed_at_random_moments_it_ends_the_same() {
    let expected = undisturbed();
    let started = Instant::now();
    {
        let home = tempfile::tempdir().unwrap();
        finish(home.path());
    }
    let length = started.elapsed();
    let mut seed = 0x5eed_u64;
    let mut draw = move || {
        // xorshift: a fixed sequence, so that a failure can be repeated.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let cases: Vec<(usize, u64, bool)> = (0..50)
        .map(|index| (index, draw() % 1000, draw() % 3 == 0))
        .collect();
    let hit = in_parallel(cases, |(index, moment, worker)| {
        let home = tempfile::tempdir().unwrap();
        let mut child = command(home.path()).spawn().unwrap();
        thread::sleep(length.mul_f64(*moment as f64 / 1000.0));
        let victims = if *worker {
            children(child.id())
        } else {
            vec![child.id()]
        };
        for victim in &victims {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(i32::try_from(*victim).unwrap()), Signal::SIGKILL);
        }
        let status = child.wait().unwrap();
        finish(home.path());
        assert_eq!(
            left(home.path()),
            expected,
            "case {index}: {moment} of 1000, worker {worker}, {status}"
        );
        !status.success() || (*worker && !victims.is_empty())
    });
    let hits = hit.iter().filter(|hit| **hit).count();
    eprintln!("{hits} of {} kills met a live process", hit.len());
    assert!(hits >= 20, "only {hits} kills met anything");
}

fn undisturbed() -> Left {
    let home = tempfile::tempdir().unwrap();
    finish(home.path());
    let left = left(home.path());
    assert!(left.events.values().all(|times| *times == 1), "{left:#?}");
    let names: BTreeSet<_> = left.artifacts.iter().map(|(name, ..)| name.as_str()).collect();
    let plan = eventful();
    let outputs = plan.tasks.iter().flat_map(|task| task.outputs.values());
    assert_eq!(names, outputs.map(String::as_str).collect());
    assert_eq!(left.aliases, BTreeMap::from([("twin2@production".to_owned(), 1)]));
    left
}

fn command(home: &Path) -> Command {
    let mut command = Command::new(testbed());
    command
        .arg("run")
        .arg(home)
        .arg(RUN)
        .env_remove(failpoint::VARIABLE)
        .stdin(Stdio::null());
    command
}

fn run(home: &Path, point: &str) -> ExitStatus {
    command(home)
        .env(failpoint::VARIABLE, point)
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

fn finish(home: &Path) {
    let output = command(home)
        .output()
        .expect("cargo builds the example `testbed` for the tests");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn left(home: &Path) -> Left {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let config = support::config(home).await;
        let (store, meta) = (config.store, config.meta);
        let run = meta.run(RUN).await.unwrap();
        assert_eq!(run.state, RunState::Succeeded);
        assert!(meta.open_attempts(None).await.unwrap().is_empty());
        assert!(meta.open_approvals(None).await.unwrap().is_empty());
        let mut artifacts = BTreeSet::new();
        for name in store.datasets().await.unwrap() {
            for version in store.dataset_versions(&name).await.unwrap() {
                let manifest = store
                    .dataset(&format!("{name}@{version}").parse().unwrap())
                    .await
                    .unwrap();
                artifacts.insert((name.to_string(), version, manifest.data.content_hash.clone()));
            }
        }
        let mut aliases = BTreeMap::new();
        for name in store.models().await.unwrap() {
            for version in store.model_versions(&name).await.unwrap() {
                let manifest = store
                    .model(&format!("{name}@{version}").parse().unwrap())
                    .await
                    .unwrap();
                artifacts.insert((name.to_string(), version, manifest.data.content_hash.clone()));
            }
            for (alias, label) in store.aliases(&name).await.unwrap() {
                aliases.insert(format!("{name}@{alias}"), label.version);
            }
        }
        check_index(&meta, &artifacts).await;
        Left {
            artifacts,
            events: counted(&meta).await,
            aliases,
        }
    })
}

/// SQL knows exactly what the store has.
async fn check_index(meta: &Meta, artifacts: &BTreeSet<(String, u64, String)>) {
    let datasets = meta
        .dataset_index(None)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.name, row.version, row.hash));
    let models = meta
        .model_index(None)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.name, row.version, row.hash));
    assert_eq!(&datasets.chain(models).collect::<BTreeSet<_>>(), artifacts);
}

async fn counted(meta: &Meta) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for kind in [
        event::DATASET_PUBLISHED,
        event::MODEL_REGISTERED,
        event::ALIAS_MOVED,
        event::APPROVAL_DECIDED,
        event::APPROVAL_OPENED,
        event::RUN_STARTED,
        event::RUN_ENDED,
    ] {
        for event in events(meta, kind).await {
            *counts.entry((event.kind, event.subject)).or_default() += 1;
        }
    }
    counts
}

/// Direct children of a process.
fn children(pid: u32) -> Vec<u32> {
    let is_child = |child: &u32| {
        let Ok(stat) = fs::read_to_string(format!("/proc/{child}/stat")) else {
            return false;
        };
        // The name stands in parentheses and may hold anything; state and parent follow it.
        let fields = stat.rsplit_once(')').unwrap().1;
        fields.split_whitespace().nth(1) == Some(&pid.to_string())
    };
    let entries = fs::read_dir("/proc").unwrap();
    let processes = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(is_child).collect()
}

fn in_parallel<T: Send + Sync, R: Send>(cases: Vec<T>, check: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let results = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
                    let result = check(case);
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    results.into_inner().unwrap()
}
