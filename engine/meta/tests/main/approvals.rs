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
