//! A scheduler that is killed again and again while datasets are published: every condition fires exactly as often as
//! the log says. `TWINLOOM_CHAOS` is how many publications there are; 150 unless set.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use twinloom_meta::{EventRow, RunState, event};

use crate::support::{Home, events, publish, runs_of, service, testbed, write_dag};

/// xorshift: a fixed sequence, so that a failure can be repeated.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_no_condition_is_lost_or_doubled() {
    let count: u64 = std::env::var("TWINLOOM_CHAOS")
        .ok()
        .map_or(150, |text| text.parse().unwrap());
    let home = Home::new();
    let on = [
        ("each", "on: {datasets: {any: [a]}}"),
        ("both", "on: {datasets: {all: [a, b]}}"),
        ("rows", "on: {datasets: {any: [{name: c, min_changed_rows: 25}]}}"),
        ("after", "on: {runs: {dag: both}}"),
    ];
    on.iter()
        .for_each(|(name, on)| write_dag(home.dir.path(), name, on));
    let engine = home.engine().await;
    // The triggers are there before the first publication.
    let first = service(engine.clone()).await;
    first.settle().await.unwrap();
    drop_service(first).await;
    let engine = home.engine().await;
    let mut draw = Draw(0x7717);
    let (mut kills, mut numbers) = (0_u32, BTreeMap::new());
    let mut child = spawn(&home);
    let mut until = lifetime(&mut draw);
    for _ in 0..count {
        let name = ["a", "b", "c"][usize::try_from(draw.below(3)).unwrap()];
        let end = numbers.entry(name).or_insert(0);
        *end += 1 + i64::try_from(draw.below(9)).unwrap();
        publish(&engine, name, 0..*end).await;
        if Instant::now() >= until {
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
            child = spawn(&home);
            until = lifetime(&mut draw);
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let last = service(engine.clone()).await;
    last.settle().await.unwrap();
    engine.recover().await.unwrap();
    // Ends of runs that were taken over may start more.
    for _ in 0..3 {
        for (name, _) in on {
            runs_of(&engine, name).await;
        }
        last.settle().await.unwrap();
    }
    let published = events(&engine.config().meta, event::DATASET_PUBLISHED).await;
    assert_eq!(published.len() as u64, count);
    let ended = events(&engine.config().meta, event::RUN_ENDED).await;
    let of_both = |row: &&EventRow| row.payload["dag"] == "both";
    let expected = [
        ("each", named(&published, "a").count()),
        ("both", both(&published)),
        ("rows", rows(&published)),
        ("after", ended.iter().filter(of_both).count()),
    ];
    let fired = events(&engine.config().meta, event::TRIGGER_FIRED).await;
    for (name, expected) in expected {
        let runs = runs_of(&engine, name).await;
        assert!(
            runs.iter().all(|run| run.state == RunState::Succeeded),
            "{runs:#?}"
        );
        assert_eq!(
            runs.len(),
            expected,
            "`{name}` of {count} publications with {kills} kills"
        );
        let causes: BTreeSet<i64> = runs
            .iter()
            .map(|run| run.trigger["event"].as_i64().unwrap())
            .collect();
        assert_eq!(causes.len(), expected, "a run of `{name}` for each cause");
        assert_eq!(fired.iter().filter(|row| row.subject == name).count(), expected);
    }
    eprintln!("{count} publications, {kills} kills: {expected:?}");
    assert!(kills > 1, "too few kills to tell anything");
    last.shutdown().await;
}

async fn drop_service(service: twinloom_runtime::Service) {
    service.shutdown().await;
}

fn spawn(home: &Home) -> Child {
    Command::new(testbed())
        .arg("serve")
        .arg(home.dir.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("cargo builds the example `testbed` for the tests")
}

fn lifetime(draw: &mut Draw) -> Instant {
    Instant::now() + Duration::from_millis(60 + draw.below(500))
}

fn named<'a>(published: &'a [EventRow], name: &'a str) -> impl Iterator<Item = &'a EventRow> {
    published.iter().filter(move |row| row.payload["name"] == name)
}

/// Fires whenever both have come since the last time.
fn both(published: &[EventRow]) -> usize {
    let (mut fired, mut has) = (0, BTreeSet::new());
    for row in published {
        let name = row.payload["name"].as_str().unwrap();
        if name != "c" {
            has.insert(name);
        }
        if has.len() == 2 {
            fired += 1;
            has.clear();
        }
    }
    fired
}

/// Fires whenever 25 rows of `c` have changed since the last time.
fn rows(published: &[EventRow]) -> usize {
    let (mut fired, mut changed) = (0, 0);
    for row in named(published, "c") {
        let changes = &row.payload["changes"];
        changed += match changes.as_object() {
            Some(changes) => changes.values().map(|value| value.as_u64().unwrap()).sum(),
            None => row.payload["rows"].as_u64().unwrap(),
        };
        if changed >= 25 {
            (fired, changed) = (fired + 1, 0);
        }
    }
    fired
}
