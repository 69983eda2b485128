//! Attempts in the scheduler itself.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome, Registry, Runs};
use twinloom_store::{FeatureStore, StoreLocation};

use super::support::{logs, run_task, task};
use crate::executor::{AttemptEnd, InlineExecutor, Limits};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Act {
    Talk(u32),
    Fail,
    Panic,
    Listen,
    Sleep,
}

struct Actor;

#[async_trait]
impl Operator for Actor {
    type Config = Value;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            name: "actor",
            version: "1",
            summary: "Does as it is told.",
            inputs: Vec::new(),
            outputs: Vec::new(),
            open_ports: false,
            runs: Runs::Inline,
            cacheable: false,
        }
    }

    async fn run(&self, context: &Context, config: Value) -> Result<Outcome, OperatorError> {
        match serde_json::from_value(config).unwrap() {
            Act::Talk(lines) => {
                for n in 0..lines {
                    context.info(n.to_string());
                }
                context.metric("loss", 0.5, None);
                Ok(Done::new().metric("lines", lines).into())
            }
            Act::Fail => Err(OperatorError::retry("actor.fails", "no luck", "try again")),
            Act::Panic => panic!("on request"),
            Act::Listen => {
                context.cancellation().cancelled().await;
                context.info("heard");
                context.check_cancelled()?;
                Ok(Done::new().into())
            }
            Act::Sleep => {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
                Ok(Done::new().into())
            }
        }
    }
}

async fn act(
    act: Act,
    timeout: Option<Duration>,
    cancel: CancellationToken,
) -> (AttemptEnd, Vec<String>, usize) {
    let location = StoreLocation {
        url: "memory:///".to_owned(),
        options: Default::default(),
    };
    let store = FeatureStore::open(&location).await.unwrap();
    let executor = InlineExecutor::new(Arc::new(Registry::new().with(Actor)), store)
        .with_grace(Duration::from_millis(200));
    let mut document = task();
    document.operator = "actor".to_owned();
    document.config = serde_json::to_value(act).unwrap();
    let limits = Limits {
        timeout,
        ..Limits::default()
    };
    let (end, messages) = run_task(&executor, document, limits, cancel).await;
    (
        end,
        logs(&messages).into_iter().map(str::to_owned).collect(),
        messages.len(),
    )
}

#[tokio::test]
async fn an_operator_is_heard_to_its_last_message() {
    let (end, logs, messages) = act(Act::Talk(500), None, CancellationToken::new()).await;
    let AttemptEnd::Finished(Ok(Outcome::Done(done))) = end else {
        panic!("{end:?}")
    };
    assert_eq!(done.metrics["lines"], 500);
    assert_eq!(logs, (0..500).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(messages, 501);
}

#[tokio::test]
async fn a_flood_is_cut_and_counted_but_no_metric_is_lost() {
    let (_, logs, messages) = act(Act::Talk(200_000), None, CancellationToken::new()).await;
    let last = logs.last().unwrap();
    let dropped: usize = last
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap_or_else(|_| panic!("{last}"));
    assert_eq!(logs.len() - 1 + dropped, 200_000);
    assert_eq!(messages, logs.len() + 1);
}

#[tokio::test]
async fn errors_and_panics_are_results() {
    let (end, ..) = act(Act::Fail, None, CancellationToken::new()).await;
    assert!(
        matches!(&end, AttemptEnd::Finished(Err(error)) if error.code == "actor.fails"),
        "{end:?}"
    );
    let (end, ..) = act(Act::Panic, None, CancellationToken::new()).await;
    assert!(
        matches!(&end, AttemptEnd::Finished(Err(error)) if error.code == "operator.panicked"),
        "{end:?}"
    );
}

#[tokio::test]
async fn cancelling_and_the_time_limit_reach_the_operator() {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.cancel();
    });
    let (end, logs, _) = act(Act::Listen, None, cancel).await;
    assert!(matches!(end, AttemptEnd::Cancelled), "{end:?}");
    assert_eq!(logs, ["heard"]);

    let cancel = CancellationToken::new();
    let (end, logs, _) = act(Act::Listen, Some(Duration::from_millis(50)), cancel.clone()).await;
    assert!(matches!(end, AttemptEnd::TimedOut), "{end:?}");
    assert_eq!(logs, ["heard"]);
    assert!(!cancel.is_cancelled(), "the limit is this attempt's alone");
}

#[tokio::test]
async fn an_operator_that_does_not_listen_is_left_behind() {
    let (end, ..) = act(
        Act::Sleep,
        Some(Duration::from_millis(30)),
        CancellationToken::new(),
    )
    .await;
    assert!(matches!(end, AttemptEnd::TimedOut), "{end:?}");
}
