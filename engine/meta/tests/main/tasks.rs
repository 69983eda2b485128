//! Tasks, attempts, curves and results.

use serde_json::json;
use twinloom_meta::{
    AttemptClose, AttemptProcess, AttemptRow, CacheRow, Change, Field, MetricPoint, RunState, RunUpdate,
    TaskState, TaskUpdate,
};

use crate::{
    backends,
    sample::{at, run, tasks},
};

const RUN: &str = "01JABCDEFGHJKMNPQRSTVWXYZ0";

#[tokio::test]
async fn tasks_come_back_in_the_order_of_the_plan() {
    for backend in backends::all().await {
        let rows = tasks(RUN, 2_500);
        let (late, early) = rows.split_at(1_200);
        let changes = vec![run(RUN, 0).into(), early.to_vec().into(), late.to_vec().into()];
        backend.meta.apply(changes, &[]).await.unwrap();
        assert_eq!(backend.meta.tasks(RUN).await.unwrap(), rows, "{}", backend.name);
        assert_eq!(backend.meta.task(RUN, "fan[7]").await.unwrap(), rows[7]);
        assert_eq!(
            backend.meta.task(RUN, "fan").await.unwrap_err().code(),
            "meta.not_found"
        );
    }
}

#[tokio::test]
async fn updates_of_many_tasks_mix() {
    for backend in backends::all().await {
        let mut expected = tasks(RUN, 3);
        backend
            .meta
            .apply(vec![run(RUN, 0).into(), expected.clone().into()], &[])
            .await
            .unwrap();
        let error = json!({"kind": "retry", "code": "x.y", "message": "a\u{0}b", "hint": ""});
        let updates = [
            // The same task twice: the later wins, column by column.
            TaskUpdate {
                reason: Field::Set("waits".into()),
                config: Field::Set(json!({"a": 1})),
                ..TaskUpdate::state(RUN, "fan[0]", TaskState::Queued)
            },
            TaskUpdate {
                reason: Field::Clear,
                attempt: Some(1),
                started_at: at(5).into(),
                ..TaskUpdate::state(RUN, "fan[0]", TaskState::Running)
            },
            TaskUpdate {
                error: Field::Set(error.clone()),
                next_attempt_at: at(8).into(),
                ..TaskUpdate::state(RUN, "fan[1]", TaskState::Pending)
            },
            TaskUpdate {
                metrics: Field::Set(json!({"loss": 0.5})),
                ..TaskUpdate::state(RUN, "fan[2]", TaskState::Cached)
            },
        ];
        backend
            .meta
            .apply(updates.map(Change::from).to_vec(), &[])
            .await
            .unwrap();
        expected[0].state = TaskState::Running;
        expected[0].attempt = 1;
        expected[0].config = Some(json!({"a": 1}));
        expected[0].started_at = Some(at(5));
        expected[1].error = Some(error);
        expected[1].next_attempt_at = Some(at(8));
        expected[2].state = TaskState::Cached;
        expected[2].metrics = Some(json!({"loss": 0.5}));
        assert_eq!(
            backend.meta.tasks(RUN).await.unwrap(),
            expected,
            "{}",
            backend.name
        );
    }
}

#[tokio::test]
async fn every_state_has_a_word() {
    for backend in backends::all().await {
        let mut rows = tasks(RUN, TaskState::ALL.len() as u32);
        rows.iter_mut()
            .zip(TaskState::ALL)
            .for_each(|(row, state)| row.state = *state);
        backend
            .meta
            .apply(vec![run(RUN, 0).into(), rows.clone().into()], &[])
            .await
            .unwrap();
        assert_eq!(backend.meta.tasks(RUN).await.unwrap(), rows, "{}", backend.name);
        for state in RunState::ALL {
            backend
                .meta
                .apply(vec![RunUpdate::state(RUN, *state).into()], &[])
                .await
                .unwrap();
            assert_eq!(backend.meta.run_head(RUN).await.unwrap().state, *state);
        }
    }
}

#[tokio::test]
async fn an_update_of_nothing_is_an_error_and_undoes_the_rest() {
    for backend in backends::all().await {
        backend
            .meta
            .apply(vec![run(RUN, 0).into(), tasks(RUN, 1).into()], &[])
            .await
            .unwrap();
        let changes = vec![
            TaskUpdate::state(RUN, "fan[0]", TaskState::Running).into(),
            TaskUpdate::state(RUN, "no such task", TaskState::Running).into(),
        ];
        let error = backend.meta.apply(changes, &[]).await.unwrap_err();
        assert_eq!(error.code(), "meta.not_found", "{}: {error}", backend.name);
        assert_eq!(
            backend.meta.task(RUN, "fan[0]").await.unwrap().state,
            TaskState::Pending,
            "{}",
            backend.name
        );
    }
}

#[tokio::test]
async fn attempts_open_and_close() {
    for backend in backends::all().await {
        let attempt = AttemptRow {
            run: RUN.into(),
            task: "clean".into(),
            attempt: 1,
            pid: None,
            pgid: None,
            process: None,
            started_at: at(0),
            ended_at: None,
            outcome: None,
            error: None,
        };
        let process = AttemptProcess {
            run: RUN.into(),
            task: "clean".into(),
            attempt: 1,
            pid: 4_000_000_000,
            pgid: 7,
            process: Some("boot:123".into()),
        };
        let other = AttemptRow {
            run: "another".into(),
            ..attempt.clone()
        };
        backend
            .meta
            .apply(
                vec![attempt.clone().into(), process.into(), other.clone().into()],
                &[],
            )
            .await
            .unwrap();
        let mut expected = AttemptRow {
            pid: Some(4_000_000_000),
            pgid: Some(7),
            process: Some("boot:123".into()),
            ..attempt
        };
        assert_eq!(
            backend.meta.open_attempts(Some(RUN)).await.unwrap(),
            [expected.clone()],
            "{}",
            backend.name
        );
        assert_eq!(
            backend.meta.open_attempts(None).await.unwrap(),
            [expected.clone(), other]
        );

        let end = AttemptClose {
            run: RUN.into(),
            task: "clean".into(),
            attempt: 1,
            ended_at: at(3),
            outcome: "crashed".into(),
            error: Some(json!({"code": "worker.crashed"})),
        };
        let next = AttemptRow {
            attempt: 2,
            ..expected.clone()
        };
        backend
            .meta
            .apply(vec![end.into(), next.clone().into()], &[])
            .await
            .unwrap();
        expected.ended_at = Some(at(3));
        expected.outcome = Some("crashed".into());
        expected.error = Some(json!({"code": "worker.crashed"}));
        assert_eq!(
            backend.meta.attempts(RUN, Some("clean")).await.unwrap(),
            [expected, next.clone()]
        );
        assert_eq!(
            backend.meta.open_attempts(Some(RUN)).await.unwrap(),
            [next],
            "{}",
            backend.name
        );
    }
}

#[tokio::test]
async fn curves_keep_their_order_and_odd_values() {
    for backend in backends::all().await {
        let point = |task: &str, step: Option<i64>, value: f64| MetricPoint {
            run: RUN.into(),
            task: task.into(),
            name: "loss".into(),
            step,
            value,
            at: at(0),
        };
        let points = vec![
            point("train", Some(1), 2.25),
            point("train", Some(2), 0.1),
            point("train", None, -1e-300),
            point("train", Some(3), 3.0),
            point("other", Some(1), 1.0),
            point("train", Some(4), f64::NAN),
            point("train", Some(5), f64::INFINITY),
        ];
        backend.meta.apply(vec![points.into()], &[]).await.unwrap();
        let found: Vec<(Option<i64>, f64)> = backend
            .meta
            .metrics(RUN, Some("train"))
            .await
            .unwrap()
            .iter()
            .map(|p| (p.step, p.value))
            .collect();
        for (found, expected) in
            found
                .iter()
                .zip([(Some(1), 2.25), (Some(2), 0.1), (None, -1e-300), (Some(3), 3.0)])
        {
            assert_eq!(found.0, expected.0);
            // SQLite may read the last digit of very small ones otherwise.
            assert!(
                (found.1 / expected.1 - 1.0).abs() < 1e-15,
                "{}: {found:?}",
                backend.name
            );
        }
        assert!(found[4].1.is_nan());
        assert_eq!(found[5].1, f64::MAX);
        assert_eq!(backend.meta.metrics(RUN, None).await.unwrap().len(), 7);
    }
}

#[tokio::test]
async fn the_last_result_of_a_key_stands() {
    for backend in backends::all().await {
        let entry = |key: &str, version: u64| CacheRow {
            key: key.into(),
            outputs: json!({"documents": {"name": "raw", "version": version}}),
            metrics: json!({}),
            run: RUN.into(),
            task: "clean".into(),
            at: at(0),
        };
        let many = (0..1_200)
            .map(|n| Change::from(entry(&format!("k{n}"), n)))
            .collect();
        backend.meta.apply(many, &[]).await.unwrap();
        backend
            .meta
            .apply(vec![entry("k3", 8).into(), entry("k3", 9).into()], &[])
            .await
            .unwrap();
        assert_eq!(
            backend.meta.cache("k3").await.unwrap(),
            Some(entry("k3", 9)),
            "{}",
            backend.name
        );
        assert_eq!(backend.meta.cache("none").await.unwrap(), None);
        let keys: Vec<String> = (0..1_300).map(|n| format!("k{n}")).collect();
        assert_eq!(
            backend.meta.caches(&keys).await.unwrap().len(),
            1_200,
            "{}",
            backend.name
        );
    }
}
