//! What plans come to.

mod pipelines;
mod search;
mod tasks;
mod variants;

use serde_json::json;
use twinloom_spec::{Plan, PlannedTask};

use crate::catalog::plan_of;

fn plan(body: &str) -> Plan {
    plan_of(body, &json!({})).unwrap_or_else(|errors| panic!("{errors}"))
}

fn task<'a>(plan: &'a Plan, id: &str) -> &'a PlannedTask {
    let ids: Vec<_> = plan.tasks.iter().map(|task| &task.id).collect();
    plan.tasks
        .iter()
        .find(|task| task.id == id)
        .unwrap_or_else(|| panic!("{id} is not in {ids:?}"))
}

const COLLECT: &str = "steps:\n  collect: {uses: scrape, with: {sources: []}, out: {documents: raw}}\n";
