//! The operator: first a question with evidence, then, run again with the answer, the verdict.

use async_trait::async_trait;
use serde_json::Value;
use twinloom_sdk::{
    ApprovalRequest, Context, Decision, Done, Operator, OperatorError, OperatorInfo, Outcome, Runs, records,
};

use super::{
    Config, OnReject, evidence,
    verdict::{self, verdict},
};

/// The operator `approve`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Approve;

#[async_trait]
impl Operator for Approve {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        let report = records::dataset_in(
            "report",
            "The report that the decision is based on.",
            &records::report(),
            &["metric", "subject", "value", "low", "high", "threshold", "passed"],
        );
        let candidate = records::optional(records::model_port(
            "candidate",
            "The model version that is asked about.",
        ));
        OperatorInfo {
            name: "approve",
            version: "1",
            summary: "Waits for a person's decision on a report, without holding a worker.",
            inputs: vec![report, candidate],
            outputs: vec![records::dataset_out(
                "verdict",
                "Who decided what on which evidence.",
                &verdict(),
            )],
            open_ports: false,
            runs: Runs::Inline,
            // The very same candidate and report are not asked about twice.
            cacheable: true,
        }
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        let timeout = config.check()?;
        let model = evidence::candidate(context).await?;
        let candidate = model.as_ref().map(|model| model.id().to_string());
        let evidence = evidence::gather(context, model.as_deref()).await?;
        let Some(decision) = context.decision() else {
            let question = config
                .question
                .clone()
                .unwrap_or_else(|| question(candidate.as_deref(), &evidence));
            let Config {
                approvers,
                required,
                on_timeout,
                ..
            } = config;
            return Ok(Outcome::Wait(ApprovalRequest {
                question,
                approvers,
                required: required.unwrap_or(1),
                timeout,
                on_timeout,
                evidence,
            }));
        };
        if !decision.approved && config.reject == OnReject::Fail {
            return Err(rejected(decision, candidate.as_deref()));
        }
        let mut writer = context.stage_dataset("verdict", verdict(), &["decision"])?;
        writer
            .write(verdict::row(decision, candidate.as_deref(), &evidence)?)
            .await?;
        let done = Done::new()
            .metric("approved", decision.approved)
            .metric("by", decision.by.as_str());
        Ok(done.dataset("verdict", writer.finish().await?).into())
    }
}

fn question(candidate: Option<&str>, evidence: &Value) -> String {
    let what = candidate.unwrap_or("this result");
    match evidence.get("passed").and_then(Value::as_bool) {
        Some(true) => format!("May {what} be released? It passed every threshold."),
        Some(false) => format!("May {what} be released, although it missed a threshold?"),
        None => format!("May {what} be released?"),
    }
}

fn rejected(decision: &Decision, candidate: Option<&str>) -> OperatorError {
    let what = candidate.unwrap_or("the result");
    let why = decision
        .comment
        .as_deref()
        .map(|comment| format!(": {comment}"))
        .unwrap_or_default();
    OperatorError::data(
        "approve.rejected",
        format!("{} rejected {what}{why}", decision.by),
        "Improve the candidate and run again, or set `reject: continue` and let later steps decide by `if:`.",
    )
}
