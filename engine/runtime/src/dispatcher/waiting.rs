//! Tasks that wait for a person: they hold no worker and no slot.

use std::sync::Arc;

use serde_json::json;
use twinloom_meta::{ApprovalRow, AuditRow, Change, DecisionRow, NewEvent, TaskState, event};
use twinloom_sdk::{ApprovalRequest, Decision, OnTimeout};

use super::{Core, Run, TaskRef, run::Phase, timers::Timer};
use crate::{failpoint, writer::After};

impl Core {
    /// A task asks a person.
    pub fn ask(&mut self, run: &mut Run, index: usize, request: ApprovalRequest) {
        let now = self.shared.now();
        let expires_at = request.timeout.and_then(|timeout| now.checked_add(timeout).ok());
        let task = &mut run.tasks[index];
        let approval = ApprovalRow {
            run: task.row.run.clone(),
            task: task.row.id.clone(),
            request: serde_json::to_value(&request).unwrap_or_default(),
            opened_at: now,
            expires_at,
            closed_at: None,
            outcome: None,
            given: 0,
        };
        task.approval = Some(approval.clone());
        task.decision = None;
        let payload = json!({
            "run": approval.run, "task": approval.task, "question": request.question, "approvers": request.approvers,
            "expires_at": expires_at,
        });
        let subject = format!("{}/{}", approval.run, approval.task);
        run.changes.push(Change::OpenApproval(approval));
        run.changes.push(Change::Event(NewEvent {
            kind: event::APPROVAL_OPENED.to_owned(),
            subject,
            payload,
            at: now,
        }));
        run.after.push(After::FailPoint(failpoint::WAITING));
        self.wait_for_answer(run, index);
        run.update(index, |row| {
            row.state = TaskState::Waiting;
            row.reason = Some(format!("waiting for a decision: {}", request.question));
        });
    }

    /// A task waits, from now on or since an earlier process.
    pub fn wait_for_answer(&mut self, run: &mut Run, index: usize) {
        run.set_phase(index, Phase::Waiting);
        if let Some(at) = run.tasks[index]
            .approval
            .as_ref()
            .and_then(|approval| approval.expires_at)
        {
            let task = TaskRef {
                run: Arc::clone(&run.key),
                epoch: run.epoch,
                index,
            };
            self.timers.set(at, Timer::Expire(task));
        }
    }

    /// Someone has decided: the operator runs again, with the decision.
    pub fn decided(&mut self, run: &mut Run, index: usize, decision: Decision) {
        let task = &mut run.tasks[index];
        if task.phase != Phase::Waiting {
            return;
        }
        task.approval = None;
        task.fresh = true;
        let word = if decision.approved { "approved" } else { "rejected" };
        let reason = format!("{word} by {}", decision.by);
        task.decision = Some(decision);
        if task.ready.is_some() {
            self.enqueue(run, index);
        } else {
            run.set_phase(index, Phase::Blocked);
            run.unblocked.push_back(index);
        }
        run.update(index, |row| {
            row.state = TaskState::Queued;
            row.reason = Some(reason);
        });
    }

    /// Nobody has answered in time.
    pub fn expire(&mut self, run: &mut Run, index: usize) {
        let now = self.shared.now();
        let task = &run.tasks[index];
        let Some(approval) = task.approval.clone().filter(|_| task.phase == Phase::Waiting) else {
            return;
        };
        let Some(expires_at) = approval.expires_at.filter(|at| *at <= now) else {
            return;
        };
        let on_timeout = approval.request.get("on_timeout").cloned().unwrap_or_default();
        let approved = serde_json::from_value(on_timeout)
            .is_ok_and(|on_timeout: OnTimeout| on_timeout == OnTimeout::Approve);
        let (by, comment) = (
            "timeout".to_owned(),
            format!("nobody had answered by {expires_at:.0}"),
        );
        let subject = format!("{}/{}", approval.run, approval.task);
        run.changes.extend([
            Change::Decide(DecisionRow {
                run: approval.run.clone(),
                task: approval.task.clone(),
                approved,
                by: by.clone(),
                at: now,
                comment: Some(comment.clone()),
                evidence: approval.request.get("evidence").cloned().unwrap_or_default(),
            }),
            Change::CloseApproval {
                run: approval.run,
                task: approval.task,
                at: now,
                outcome: "timed_out".to_owned(),
            },
            Change::Event(NewEvent {
                kind: event::APPROVAL_DECIDED.to_owned(),
                subject: subject.clone(),
                payload: json!({ "approved": approved, "by": by }),
                at: now,
            }),
            Change::Audit(AuditRow {
                at: now,
                by: by.clone(),
                action: "timed_out".to_owned(),
                subject,
                detail: json!({ "approved": approved }),
            }),
        ]);
        self.decided(
            run,
            index,
            Decision {
                approved,
                by,
                at: now,
                comment: Some(comment),
            },
        );
    }
}
