//! Bounds that hold with room to spare even unoptimised; `cargo test --release speed -- --nocapture` shows the figures.

use std::time::{Duration, Instant};

use twinloom_meta::{Change, NewEvent, TaskState, TaskUpdate};

use crate::{
    backends,
    sample::{at, run, tasks},
};

const RUN: &str = "01JABCDEFGHJKMNPQRSTVWXYZ0";

#[tokio::test]
async fn ten_thousand_tasks_are_written_in_seconds() {
    const TASKS: u32 = 10_000;
    for backend in [Some(backends::file().await), backends::postgres().await]
        .into_iter()
        .flatten()
    {
        let meta = &backend.meta;
        let start = Instant::now();
        meta.apply(vec![run(RUN, 0).into(), tasks(RUN, TASKS).into()], &[])
            .await
            .unwrap();
        let inserted = start.elapsed();
        for state in [TaskState::Running, TaskState::Succeeded] {
            for first in (0..TASKS).step_by(500) {
                let update = |n| TaskUpdate {
                    attempt: Some(1),
                    started_at: at(1).into(),
                    ..TaskUpdate::state(RUN, &format!("fan[{n}]"), state)
                };
                let changes = (first..first + 500).map(|n| Change::from(update(n))).collect();
                meta.apply(changes, &[(RUN.to_owned(), 1)]).await.unwrap();
            }
        }
        let all = start.elapsed();
        eprintln!(
            "{}: 10,000 tasks inserted in {inserted:?}, with two updates each in {all:?}",
            backend.name
        );
        assert!(all < Duration::from_secs(20), "{}: {all:?}", backend.name);
        assert!(
            meta.tasks(RUN)
                .await
                .unwrap()
                .iter()
                .all(|task| task.state == TaskState::Succeeded)
        );
    }
}

#[tokio::test]
async fn a_small_change_takes_milliseconds() {
    for backend in [Some(backends::file().await), backends::postgres().await]
        .into_iter()
        .flatten()
    {
        let meta = &backend.meta;
        meta.apply(vec![run(RUN, 0).into(), tasks(RUN, 10).into()], &[])
            .await
            .unwrap();
        let mut times = Vec::new();
        for n in 0..200 {
            let state = if n % 2 == 0 {
                TaskState::Running
            } else {
                TaskState::Succeeded
            };
            let event = NewEvent {
                kind: "k".into(),
                subject: "s".into(),
                payload: 1.into(),
                at: at(0),
            };
            let changes = vec![TaskUpdate::state(RUN, "fan[3]", state).into(), event.into()];
            let start = Instant::now();
            meta.apply(changes, &[(RUN.to_owned(), 1)]).await.unwrap();
            times.push(start.elapsed());
        }
        times.sort();
        eprintln!(
            "{}: a task and an event, p50 {:?}, p95 {:?}",
            backend.name, times[100], times[190]
        );
        assert!(
            times[100] < Duration::from_millis(200),
            "{}: {:?}",
            backend.name,
            times[100]
        );
    }
}
