//! Answers of people.

use serde_json::json;
use twinloom_meta::{ApprovalRow, AuditRow, Change, DecisionRow, MetaError, NewEvent, event};
use twinloom_sdk::ApprovalRequest;

use super::Engine;
use crate::{Decision, EngineError, answers, dispatcher::Input, failpoint};

/// How often an answer is tried that another one has overtaken.
const TRIES: u32 = 20;

impl Engine {
    /// Answers a task that waits for a person; names it where several wait. The answer is stored with who, when and the
    /// evidence, whichever process owns the run; once as many have approved as the question needs, or one has
    /// rejected, the owner runs the task again.
    ///
    /// # Errors
    /// `approval.no_name`, `run.not_waiting`, `run.ambiguous_task`, `run.not_approver`, `run.already_approved`,
    /// `meta.not_found`.
    pub async fn decide(&self, run: &str, task: Option<&str>, decision: Decision) -> Result<(), EngineError> {
        if decision.by.trim().is_empty() {
            return Err(EngineError::NoName);
        }
        let run = self.shared.config.meta.run_head(run).await?.id;
        let mut tries = 0;
        loop {
            let approval = self.question(&run, task).await?;
            tries += 1;
            match self.answer(approval, &decision).await {
                // Another answer came in between: the question is looked at again.
                Err(EngineError::Meta(MetaError::Superseded { .. })) if tries < TRIES => {}
                done => return done,
            }
        }
    }

    async fn question(&self, run: &str, task: Option<&str>) -> Result<ApprovalRow, EngineError> {
        let mut open = self.shared.config.meta.open_approvals(Some(run)).await?;
        open.retain(|approval| {
            task.is_none_or(|task| task == approval.task || step_is(task, &approval.task))
        });
        match (open.pop(), open.is_empty()) {
            (None, _) => Err(EngineError::NotWaiting {
                run: run.to_owned(),
                task: task.map(str::to_owned),
            }),
            (Some(approval), true) => Ok(approval),
            (Some(approval), false) => {
                open.push(approval);
                let tasks: Vec<_> = open.into_iter().map(|approval| approval.task).collect();
                Err(EngineError::AmbiguousTask {
                    run: run.to_owned(),
                    tasks: tasks.join(", "),
                })
            }
        }
    }

    async fn answer(&self, approval: ApprovalRow, decision: &Decision) -> Result<(), EngineError> {
        let ApprovalRow { run, task, .. } = approval.clone();
        check_role(&approval, decision)?;
        let meta = &self.shared.config.meta;
        let mut given = meta.decisions(&run).await?;
        given.retain(|row| row.task == task && row.at >= approval.opened_at);
        if decision.approved && given.iter().any(|row| row.by == decision.by) {
            return Err(EngineError::AlreadyApproved {
                run,
                task,
                by: decision.by.clone(),
            });
        }
        let at = self.shared.now();
        let row = DecisionRow {
            run: run.clone(),
            task: task.clone(),
            approved: decision.approved,
            by: decision.by.clone(),
            at,
            comment: decision.comment.clone(),
            evidence: approval.request.get("evidence").cloned().unwrap_or_default(),
        };
        given.push(row.clone());
        let required = answers::required(&approval.request);
        let verdict = answers::verdict(required, &given);
        let outcome = if decision.approved { "approved" } else { "rejected" };
        let subject = format!("{run}/{task}");
        let kind = match verdict {
            Some(_) => event::APPROVAL_DECIDED,
            None => event::APPROVAL_GIVEN,
        };
        let payload = json!({
            "run": run, "task": task, "approved": decision.approved, "by": decision.by, "comment": decision.comment,
            "given": given.len(), "required": required,
        });
        let detail = json!({
            "approved": decision.approved, "comment": decision.comment, "role": decision.role, "given": given.len(),
            "required": required,
        });
        let mut changes = vec![
            Change::CountApproval {
                run: run.clone(),
                task: task.clone(),
                given: approval.given,
            },
            Change::Decide(row),
            Change::Event(NewEvent {
                kind: kind.to_owned(),
                subject: subject.clone(),
                payload,
                at,
            }),
            Change::Audit(AuditRow {
                at,
                by: decision.by.clone(),
                action: outcome.to_owned(),
                subject,
                detail,
            }),
        ];
        if verdict.is_some() {
            changes.push(Change::CloseApproval {
                run: run.clone(),
                task: task.clone(),
                at,
                outcome: outcome.to_owned(),
            });
        }
        meta.apply(changes, &[]).await?;
        failpoint::hit(failpoint::DECIDED);
        if let Some(decision) = verdict {
            self.shared.send(Input::Decided { run, task, decision });
        }
        Ok(())
    }
}

/// Whether the question lets this person answer. Who comes without a role is trusted to say who they are.
fn check_role(approval: &ApprovalRow, decision: &Decision) -> Result<(), EngineError> {
    let Some(role) = decision.role.as_deref() else {
        return Ok(());
    };
    let request = serde_json::from_value::<ApprovalRequest>(approval.request.clone());
    let approvers = request.map(|request| request.approvers).unwrap_or_default();
    let lets_in = |approver: &String| match approver.split_once(':') {
        Some(("user", name)) => name == decision.by,
        Some(("role", name)) => name == role || role == "admin",
        _ => false,
    };
    if approvers.is_empty() || approvers.iter().any(lets_in) {
        return Ok(());
    }
    Err(EngineError::NotApprover {
        by: decision.by.clone(),
        role: role.to_owned(),
        approvers: approvers.join(", "),
    })
}

/// `approve` may be said for `approve[2]` or `release/approve`.
fn step_is(said: &str, task: &str) -> bool {
    let step = task.split('[').next().unwrap_or(task);
    step == said || step.rsplit('/').next() == Some(said)
}
