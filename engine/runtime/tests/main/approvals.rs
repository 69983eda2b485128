//! Questions to people.

use std::time::Duration;

use serde_json::json;
use twinloom_meta::{RunState, TaskState, event};
use twinloom_runtime::{Decision, WaitFor};

use crate::{
    plans::{TaskExt, plan, task},
    support::{self, Home, events, submit},
};

fn asks(config: serde_json::Value) -> twinloom_spec::Plan {
    plan(
        "asks",
        vec![
            task("ask", "ask", config),
            task("next", "note", json!({})).after("ask"),
        ],
    )
}

fn says(approved: bool) -> Decision {
    Decision {
        approved,
        by: "ada".to_owned(),
        role: None,
        comment: Some("I looked".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_a_person_and_goes_on_with_the_answer() {
    let home = Home::new();
    let engine = home.engine_with(|config| config.max_parallel = 1).await;
    let id = engine.submit(submit(asks(json!({})))).await.unwrap();
    let waiting = engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    assert_eq!(
        (waiting.state, support::task(&waiting, "ask").state),
        (RunState::Waiting, TaskState::Waiting)
    );
    assert_eq!(
        support::task(&waiting, "ask").approval.as_ref().unwrap()["question"],
        "Is it good?"
    );
    // It holds no slot: the only one is free for another run.
    support::run(&engine, plan("other", vec![task("note", "note", json!({}))])).await;
    assert_eq!(engine.questions(Some(&id)).await.unwrap().len(), 1);
    for nobody in ["", " \t"] {
        let by = nobody.to_owned();
        let error = engine
            .decide(&id, None, Decision { by, ..says(true) })
            .await
            .unwrap_err();
        assert_eq!(error.code(), "approval.no_name");
    }
    engine.decide(&id, None, says(true)).await.unwrap();
    let ended = engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    assert_eq!(ended.state, RunState::Succeeded, "{ended:#?}");
    assert_eq!(support::task(&ended, "ask").metrics["by"], json!("ada"));
    assert_eq!(
        engine.decide(&id, None, says(true)).await.unwrap_err().code(),
        "run.not_waiting"
    );
    let meta = &engine.config().meta;
    let decision = meta.decision(&id, "ask").await.unwrap().unwrap();
    assert_eq!(
        (decision.by.as_str(), decision.evidence),
        ("ada", json!({ "inputs": 0 }))
    );
    assert_eq!(events(meta, event::APPROVAL_OPENED).await.len(), 1);
    assert_eq!(events(meta, event::APPROVAL_DECIDED).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_is_what_the_operator_makes_of_it() {
    let home = Home::new();
    let engine = home.engine().await;
    let id = engine.submit(submit(asks(json!({})))).await.unwrap();
    engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    engine.decide(&id, Some("ask"), says(false)).await.unwrap();
    let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
    assert_eq!(ended.state, RunState::Failed);
    assert_eq!(
        support::task(&ended, "ask").error.as_ref().unwrap()["code"],
        "test.rejected"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_outlives_its_engine() {
    let home = Home::new();
    let first = home.engine().await;
    let id = first.submit(submit(asks(json!({})))).await.unwrap();
    first.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    first.shutdown().await;
    // One decides, another goes on.
    let second = home.engine().await;
    second.decide(&id, None, says(true)).await.unwrap();
    second.shutdown().await;
    let third = home.engine().await;
    assert_eq!(third.recover().await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(
        third.wait(&id, WaitFor::EndedOrWaiting).await.unwrap().state,
        RunState::Succeeded
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_may_answer_or_stop_a_run_that_lives() {
    let home = Home::new();
    let owner = home.engine().await;
    let other = home.engine().await;
    let id = owner.submit(submit(asks(json!({})))).await.unwrap();
    owner.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    assert_eq!(other.resume(&id).await.unwrap_err().code(), "run.owned");
    assert!(other.recover().await.unwrap().is_empty());
    other.decide(&id, None, says(true)).await.unwrap();
    let seen = other.wait(&id, WaitFor::Ended).await.unwrap();
    assert_eq!(seen.state, RunState::Succeeded);
    let id = owner.submit(submit(asks(json!({})))).await.unwrap();
    owner.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    other.cancel(&id, "bob", "no need").await.unwrap();
    assert_eq!(
        owner.wait(&id, WaitFor::Ended).await.unwrap().state,
        RunState::Cancelled
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answering_is_an_answer() {
    let home = Home::new();
    let engine = home.engine().await;
    for (on_timeout, state) in [("approve", RunState::Succeeded), ("reject", RunState::Failed)] {
        let plan = asks(json!({ "timeout_ms": 50, "on_timeout": on_timeout }));
        let ended = support::run(&engine, plan).await;
        assert_eq!(ended.state, state);
        let decision = engine
            .config()
            .meta
            .decision(&ended.id, "ask")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(decision.by, "timeout");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_people_approve_and_only_those_who_may() {
    for home in Home::each().await {
        let engine = home.engine().await;
        let config = json!({ "approvers": ["role:approver", "user:carl"], "required": 2 });
        let asks = || plan("asks", vec![task("ask", "ask", config.clone())]);
        let says = |approved, by: &str, role: Option<&str>| Decision {
            approved,
            by: by.to_owned(),
            role: role.map(str::to_owned),
            comment: Some(format!("says {by}")),
        };
        let id = engine.submit(submit(asks())).await.unwrap();
        engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
        let code = async |decision| {
            engine
                .decide(&id, None, decision)
                .await
                .map_err(|error| error.code().to_owned())
        };
        let refused = Err("run.not_approver".to_owned());
        assert_eq!(code(says(true, "vera", Some("viewer"))).await, refused);
        assert_eq!(code(says(true, "ada", Some("approver"))).await, Ok(()));
        assert_eq!(
            code(says(true, "ada", Some("approver"))).await,
            Err("run.already_approved".to_owned())
        );
        assert_eq!(
            engine.questions(Some(&id)).await.unwrap().len(),
            1,
            "one more is needed"
        );
        // The answer so far outlives the process.
        engine.shutdown().await;
        let engine = home.engine().await;
        engine.recover().await.unwrap();
        engine
            .decide(&id, None, says(true, "carl", Some("viewer")))
            .await
            .unwrap();
        let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
        assert_eq!(ended.state, RunState::Succeeded);
        assert_eq!(support::task(&ended, "ask").metrics["by"], "ada, carl");
        let meta = &engine.config().meta;
        assert_eq!(events(meta, event::APPROVAL_GIVEN).await.len(), 1);
        assert_eq!(events(meta, event::APPROVAL_DECIDED).await.len(), 1);
        assert_eq!(meta.decisions(&id).await.unwrap().len(), 2);
        // One no is enough, and an admin may always answer.
        let id = engine.submit(submit(asks())).await.unwrap();
        engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
        engine
            .decide(&id, None, says(false, "root", Some("admin")))
            .await
            .unwrap();
        let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
        assert_eq!(ended.state, RunState::Failed);
        engine.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_approve_at_once_are_both_counted() {
    for home in Home::each().await {
        let engine = home.engine().await;
        let asks = plan("asks", vec![task("ask", "ask", json!({ "required": 4 }))]);
        let id = engine.submit(submit(asks)).await.unwrap();
        engine.wait(&id, WaitFor::EndedOrWaiting).await.unwrap();
        let approve = |by: &'static str| {
            let decision = Decision {
                approved: true,
                by: by.to_owned(),
                role: None,
                comment: None,
            };
            let (engine, id) = (engine.clone(), id.clone());
            async move { engine.decide(&id, None, decision).await }
        };
        let all = tokio::join!(approve("a"), approve("b"), approve("c"), approve("d"));
        assert!(
            all.0.is_ok() && all.1.is_ok() && all.2.is_ok() && all.3.is_ok(),
            "{all:?}"
        );
        let ended = engine.wait(&id, WaitFor::Ended).await.unwrap();
        assert_eq!(ended.state, RunState::Succeeded);
        engine.shutdown().await;
    }
}
