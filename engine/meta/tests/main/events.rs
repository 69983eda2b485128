//! The event log: no cursor misses one.

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::watch;
use twinloom_meta::{AuditRow, Before, Change, KeptAnswer, MetaError, NewEvent, event};

use crate::{
    backends,
    sample::{at, run},
};

fn published(subject: &str) -> NewEvent {
    NewEvent {
        kind: event::DATASET_PUBLISHED.into(),
        subject: subject.into(),
        payload: json!({"b": 1, "a": [true]}),
        at: at(0),
    }
}

#[tokio::test]
async fn events_keep_their_order() {
    for backend in backends::all().await {
        assert_eq!(backend.meta.last_event().await.unwrap(), 0);
        let changes = (0..5)
            .map(|n| Change::from(published(&format!("a@{n}"))))
            .collect();
        backend.meta.apply(changes, &[]).await.unwrap();
        backend
            .meta
            .apply(vec![published("b@1").into()], &[])
            .await
            .unwrap();
        let found = backend.meta.events_after(2, 3).await.unwrap();
        let subjects: Vec<&str> = found.iter().map(|event| event.subject.as_str()).collect();
        assert_eq!(subjects, ["a@2", "a@3", "a@4"], "{}", backend.name);
        assert_eq!(found[0].payload, json!({"b": 1, "a": [true]}));
        assert_eq!(backend.meta.last_event().await.unwrap(), 6, "{}", backend.name);
    }
}

#[tokio::test]
async fn an_event_stands_or_falls_with_its_cause() {
    for backend in backends::all().await {
        let row = run("01JABCDEFGHJKMNPQRSTVWXYZ0", 0);
        backend
            .meta
            .apply(vec![row.clone().into(), published("first").into()], &[])
            .await
            .unwrap();
        let error = backend
            .meta
            .apply(vec![published("lost").into(), row.into()], &[])
            .await
            .unwrap_err();
        assert!(matches!(error, MetaError::Exists { .. }), "{error}");
        backend
            .meta
            .apply(vec![published("second").into()], &[])
            .await
            .unwrap();
        let found: Vec<(i64, String)> = backend
            .meta
            .events_after(0, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|e| (e.id, e.subject))
            .collect();
        assert_eq!(
            found,
            [(1, "first".to_owned()), (2, "second".to_owned())],
            "{}",
            backend.name
        );
    }
}

/// Writers race a reader that follows with a cursor: it sees every event once, whatever commits first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cursor_misses_nothing_while_writers_race() {
    const WRITERS: usize = 8;
    const EACH: usize = 10;
    for backend in backends::all().await {
        let meta = Arc::new(backend.meta.clone());
        let (done, finished) = watch::channel(false);
        let reader = tokio::spawn({
            let meta = Arc::clone(&meta);
            async move {
                let (mut cursor, mut seen) = (0, Vec::new());
                loop {
                    let last_round = *finished.borrow();
                    for event in meta.events_after(cursor, 7).await.unwrap() {
                        cursor = event.id;
                        seen.push(event.subject);
                    }
                    if last_round && cursor == meta.last_event().await.unwrap() {
                        return seen;
                    }
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
            }
        });
        let writers = (0..WRITERS).map(|writer| {
            let meta = Arc::clone(&meta);
            tokio::spawn(async move {
                for n in 0..EACH {
                    let id = format!("{writer}-{n}");
                    // A second statement lengthens the transaction, so that commits overtake each other if they can.
                    meta.apply(vec![published(&id).into(), run(&id, 0).into()], &[])
                        .await
                        .unwrap();
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
        done.send(true).unwrap();
        let seen = reader.await.unwrap();
        assert_eq!(seen.len(), WRITERS * EACH, "{}", backend.name);
        assert_eq!(
            seen.iter().collect::<HashSet<_>>().len(),
            WRITERS * EACH,
            "{}: none twice",
            backend.name
        );
    }
}

#[tokio::test]
async fn the_audit_log_and_kept_answers_are_forgotten_in_time() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        let entry = |n: i64| AuditRow {
            at: at(n),
            by: "ada".into(),
            action: "approve".into(),
            subject: format!("run/{n}"),
            detail: json!({}),
        };
        let rows = (0..4).map(|n| Change::from(entry(n))).collect();
        meta.apply(rows, &[]).await.unwrap();
        for n in 0..4 {
            let claim = KeptAnswer {
                key: n.to_string(),
                fingerprint: String::new(),
                at: at(n),
                owner: String::new(),
                status: None,
                content_type: None,
                body: None,
            };
            meta.claim_answer(&claim, at(0), at(0)).await.unwrap();
        }
        let before = Before {
            seen: at(0),
            decisions: at(0),
            answers: at(3),
            audit: at(2),
        };
        assert_eq!(meta.forget(before).await.unwrap(), 5, "{}", backend.name);
        assert_eq!(meta.audit(9).await.unwrap(), [entry(3), entry(2)]);
        assert_eq!(meta.open_claims().await.unwrap()[0].key, "3");
    }
}

#[tokio::test]
async fn the_audit_log_is_newest_first() {
    for backend in backends::all().await {
        let entry = |n: i64| AuditRow {
            at: at(n),
            by: "ada".into(),
            action: "approve".into(),
            subject: format!("run/{n}"),
            detail: json!({"n": n}),
        };
        backend
            .meta
            .apply((0..4).map(|n| Change::from(entry(n))).collect(), &[])
            .await
            .unwrap();
        assert_eq!(
            backend.meta.audit(2).await.unwrap(),
            [entry(3), entry(2)],
            "{}",
            backend.name
        );
    }
}
