//! What waits for a person, on which evidence, and the answer.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::{ApprovalRow, DecisionRow};
use twinloom_runtime::Decision;
use utoipa::{IntoParams, ToSchema};

use super::words::{Done, object};
use crate::{
    auth::principal::{Permission, Principal, Role},
    http::{
        extract::{Json, Path, Query},
        page::{self, Page},
        problem::{Answer, Problem},
    },
    state::Shared,
};

/// A question that waits, or waited, for a person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalItem {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// The question, in a sentence.
    pub question: String,
    /// Who may answer: `role:approver`, `user:ada`; empty is anyone.
    pub approvers: Vec<String>,
    /// How many have to say yes.
    pub required: u32,
    /// How many have.
    pub given: u32,
    /// What no answer in time counts as: `reject` or `approve`.
    pub on_timeout: String,
    /// When it was asked.
    pub opened_at: Timestamp,
    /// When it is answered by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was answered or withdrawn.
    pub closed_at: Option<Timestamp>,
    /// `approved`, `rejected`, `timed_out`, `cancelled`.
    pub outcome: Option<String>,
}

impl From<&ApprovalRow> for ApprovalItem {
    fn from(row: &ApprovalRow) -> Self {
        let text = |key: &str| {
            row.request
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let approvers = row.request.get("approvers").and_then(Value::as_array);
        let names = |list: &Vec<Value>| {
            list.iter()
                .filter_map(|one| Some(one.as_str()?.to_owned()))
                .collect()
        };
        let required = row.request.get("required").and_then(Value::as_u64);
        Self {
            run: row.run.clone(),
            task: row.task.clone(),
            question: text("question"),
            approvers: approvers.map(names).unwrap_or_default(),
            required: required.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            given: row.given,
            on_timeout: text("on_timeout"),
            opened_at: row.opened_at,
            expires_at: row.expires_at,
            closed_at: row.closed_at,
            outcome: row.outcome.clone(),
        }
    }
}

/// A person's answer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DecisionItem {
    /// The run.
    pub run: String,
    /// The task.
    pub task: String,
    /// Yes or no.
    pub approved: bool,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// In their words.
    pub comment: Option<String>,
}

impl From<&DecisionRow> for DecisionItem {
    fn from(row: &DecisionRow) -> Self {
        Self {
            run: row.run.clone(),
            task: row.task.clone(),
            approved: row.approved,
            by: row.by.clone(),
            at: row.at,
            comment: row.comment.clone(),
        }
    }
}

/// Which questions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApprovalsQuery {
    /// `open` (unless given) or `all`.
    pub state: Option<String>,
    /// Items on the page; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The inbox: open questions oldest first, or all questions newest first.
#[utoipa::path(get, path = "/approvals", tag = "approvals", operation_id = "list_approvals",
    params(ApprovalsQuery), responses((status = 200, body = Page<ApprovalItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(
    State(app): State<Shared>,
    Query(query): Query<ApprovalsQuery>,
) -> Answer<Json<Page<ApprovalItem>>> {
    let limit = page::usual(query.limit)?;
    let rows = match query.state.as_deref() {
        None | Some("open") => {
            let after = query.cursor.as_deref().map(place).transpose()?;
            let mut open = app.meta.open_approvals(None).await?;
            open.sort_by(|a, b| place_of(a).cmp(&place_of(b)));
            let items: Vec<ApprovalItem> = open
                .iter()
                .filter(|row| after.is_none_or(|after| place_of(row) > after))
                .take(usize::try_from(limit + 1).unwrap_or(usize::MAX))
                .map(ApprovalItem::from)
                .collect();
            return Ok(Json(Page::cut(items, limit, opened)));
        }
        Some("all") => {
            let before = query.cursor.as_deref().map(place).transpose()?;
            app.meta.approvals(before, limit + 1).await?
        }
        Some(other) => {
            let detail = format!("`{other}` is not a state of approvals");
            return Err(Problem::bad_request(
                "request.state",
                detail,
                "Give `open` or `all`.",
            ));
        }
    };
    Ok(Json(Page::of(&rows, limit, opened)))
}

/// The cursor of a question: when it was asked, and where, since many may be asked at the same time.
fn opened(item: &ApprovalItem) -> String {
    let at = item.opened_at.as_microsecond();
    format!("{at}/{}/{}", item.run, item.task)
}

/// A cursor's microsecond, run and task.
fn place(cursor: &str) -> Answer<(i64, &str, &str)> {
    let mut parts = cursor.splitn(3, '/');
    let at = parts.next().and_then(|at| at.parse().ok());
    let found = at.zip(parts.next()).zip(parts.next());
    let ((at, run), task) = found.ok_or_else(page::bad_cursor)?;
    Ok((at, run, task))
}

fn place_of(row: &ApprovalRow) -> (i64, &str, &str) {
    (row.opened_at.as_microsecond(), &row.run, &row.task)
}

/// A question with the evidence to look at before answering.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ApprovalDetail {
    /// The question.
    #[serde(flatten)]
    pub approval: ApprovalItem,
    /// The DAG.
    pub dag: String,
    /// What the decision is based on: `candidate`, `production`, `report`, `rows` (figures with verdicts), `passed`.
    #[schema(value_type = Object)]
    pub evidence: Map<String, Value>,
    /// Answers so far, in order.
    pub decisions: Vec<DecisionItem>,
    /// Whether whoever asks may answer.
    pub may_decide: bool,
    /// The candidate against what it would replace, where both are known.
    pub comparison: Option<super::models::Comparison>,
}

/// A question and its evidence; the task's id is percent-encoded.
#[utoipa::path(get, path = "/approvals/{run}/{task}", tag = "approvals", operation_id = "get_approval",
    params(("run" = String, Path), ("task" = String, Path)), responses((status = 200, body = ApprovalDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(
    State(app): State<Shared>,
    who: Principal,
    Path((run, task)): Path<(String, String)>,
) -> Answer<Json<ApprovalDetail>> {
    let head = app.meta.run_head(&run).await?;
    let row = app.meta.approval(&head.id, &task).await?;
    let decisions = app.meta.decisions(&head.id).await?;
    let evidence = row.request.get("evidence").map(object).unwrap_or_default();
    let item = ApprovalItem::from(&row);
    let pair = |key: &str| evidence.get(key).and_then(Value::as_str);
    let comparison = match (pair("production"), pair("candidate")) {
        (Some(production), Some(candidate)) => super::models::compare_references(&app, production, candidate)
            .await
            .ok(),
        _ => None,
    };
    Ok(Json(ApprovalDetail {
        may_decide: item.closed_at.is_none() && may_decide(&who, &item.approvers),
        dag: head.dag,
        evidence,
        decisions: decisions
            .iter()
            .filter(|one| one.task == task)
            .map(DecisionItem::from)
            .collect(),
        comparison,
        approval: item,
    }))
}

/// An answer.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DecideRequest {
    /// Yes or no.
    pub approved: bool,
    /// In your words, for the record.
    pub comment: Option<String>,
}

/// Approves or rejects.
#[utoipa::path(post, path = "/approvals/{run}/{task}", tag = "approvals", operation_id = "decide",
    params(("run" = String, Path), ("task" = String, Path)), request_body = DecideRequest,
    responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("approve"))))]
pub async fn decide(
    State(app): State<Shared>,
    who: Principal,
    Path((run, task)): Path<(String, String)>,
    Json(body): Json<DecideRequest>,
) -> Answer<Json<Done>> {
    let id = app.meta.run_head(&run).await?.id;
    let open = app.meta.open_approvals(Some(&id)).await?;
    let asked = open.iter().find(|row| row.task == task).map(ApprovalItem::from);
    let approvers = asked.map(|item| item.approvers).unwrap_or_default();
    if !may_decide(&who, &approvers) {
        return Err(Problem::forbidden(
            "approve.not_asked",
            format!("this question is for {}", approvers.join(", ")),
            "Ask one of them, or an admin to give you the role.",
        ));
    }
    let decision = Decision {
        approved: body.approved,
        role: role_for(&who, &approvers),
        by: who.name,
        comment: body.comment,
    };
    app.engine.decide(&id, Some(&task), decision).await?;
    Ok(Json(Done::DONE))
}

/// Whether someone is among those who are asked. Without a login the person at the machine is everyone.
fn may_decide(who: &Principal, approvers: &[String]) -> bool {
    let is_named = |approver: &String| match approver.split_once(':') {
        Some(("role", role)) => {
            let fits = |own: &Role| own.as_str() == role || *own == Role::Admin;
            who.roles.iter().any(fits)
        }
        Some(("user", user)) => who.name == user,
        _ => false,
    };
    who.may(Permission::Approve) && (approvers.is_empty() || is_local(who) || approvers.iter().any(is_named))
}

/// The role that lets someone answer: one that is asked for, else the first that there is; none for the person at the
/// machine, who is trusted to say who they are.
fn role_for(who: &Principal, approvers: &[String]) -> Option<String> {
    if is_local(who) {
        return None;
    }
    let asked = |role: &&Role| {
        approvers
            .iter()
            .any(|one| one.strip_prefix("role:") == Some(role.as_str()))
    };
    let admin = who.roles.iter().find(|role| **role == Role::Admin);
    let role = who.roles.iter().find(asked).or(admin).or(who.roles.first());
    role.map(|role| role.as_str().to_owned())
}

fn is_local(who: &Principal) -> bool {
    who.name == Principal::local().name
}
