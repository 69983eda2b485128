//! Questions and answers.

use serde_json::json;
use twinloom_meta::{ApprovalRow, Change, DecisionRow};

use crate::{backends, sample::at};

#[tokio::test]
async fn a_question_is_asked_answered_and_asked_again() {
    for backend in backends::all().await {
        let question = |task: &str| ApprovalRow {
            run: "r1".into(),
            task: task.into(),
            request: json!({"question": "Promote?", "evidence": {"loss": 1.5}}),
            opened_at: at(0),
            expires_at: Some(at(60)),
            closed_at: None,
            outcome: None,
            given: 0,
        };
        let meta = &backend.meta;
        let changes = vec![question("a").into(), question("b").into()];
        meta.apply(changes, &[]).await.unwrap();
        assert_eq!(
            meta.open_approvals(Some("r1")).await.unwrap(),
            [question("a"), question("b")]
        );
        assert_eq!(meta.open_approvals(None).await.unwrap().len(), 2);
        assert_eq!(meta.open_approvals(Some("r2")).await.unwrap(), []);

        let answer = |approved: bool, by: &str| DecisionRow {
            run: "r1".into(),
            task: "a".into(),
            approved,
            by: by.into(),
            at: at(5),
            comment: approved.then(|| "fine".to_owned()),
            evidence: json!({"loss": 1.5}),
        };
        let close = Change::CloseApproval {
            run: "r1".into(),
            task: "a".into(),
            at: at(5),
            outcome: "rejected".into(),
        };
        meta.apply(vec![close, answer(false, "ada").into()], &[])
            .await
            .unwrap();
        assert_eq!(
            meta.open_approvals(Some("r1")).await.unwrap(),
            [question("b")],
            "{}",
            backend.name
        );
        assert_eq!(
            meta.decision("r1", "a").await.unwrap(),
            Some(answer(false, "ada"))
        );
        assert_eq!(meta.decision("r1", "b").await.unwrap(), None);

        meta.apply(vec![question("a").into(), answer(true, "bob").into()], &[])
            .await
            .unwrap();
        assert_eq!(
            meta.open_approvals(None).await.unwrap().len(),
            2,
            "{}: asked again",
            backend.name
        );
        assert_eq!(
            meta.decision("r1", "a").await.unwrap(),
            Some(answer(true, "bob")),
            "{}",
            backend.name
        );
        assert_eq!(
            meta.decisions("r1").await.unwrap(),
            [answer(false, "ada"), answer(true, "bob")]
        );
    }
}

#[tokio::test]
async fn questions_of_the_same_moment_are_on_one_page_each() {
    for backend in backends::all().await {
        let question = |run: &str, task: &str, opened: i64| ApprovalRow {
            run: run.into(),
            task: task.into(),
            request: json!({}),
            opened_at: at(opened),
            expires_at: None,
            closed_at: None,
            outcome: None,
            given: 0,
        };
        let rows = [
            ("r2", "a", 1),
            ("r2", "c/d", 0),
            ("r2", "b", 0),
            ("r1", "e", 0),
            ("r1", "a", 0),
        ];
        let changes = rows
            .iter()
            .rev()
            .map(|(run, task, at)| question(run, task, *at).into());
        backend.meta.apply(changes.collect(), &[]).await.unwrap();
        let mut found: Vec<ApprovalRow> = Vec::new();
        loop {
            let last = found.last();
            let before = last.map(|row| {
                (
                    row.opened_at.as_microsecond(),
                    row.run.as_str(),
                    row.task.as_str(),
                )
            });
            let page = backend.meta.approvals(before, 2).await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        let found: Vec<_> = found
            .iter()
            .map(|row| (row.run.as_str(), row.task.as_str(), row.opened_at))
            .collect();
        assert_eq!(
            found,
            rows.map(|(run, task, opened)| (run, task, at(opened))),
            "{}",
            backend.name
        );
    }
}
