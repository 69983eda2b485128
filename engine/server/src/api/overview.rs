//! Is it healthy? What needs me? What changed?

use std::collections::BTreeMap;

use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use twinloom_meta::{RunFilter, RunState};
use utoipa::ToSchema;

use super::{
    approvals::ApprovalItem,
    runs::RunItem,
    trouble::{self, BrokenDag, FailingDestination, LostQueue, TriggerFailure},
};
use crate::{
    http::{extract::Json, problem::Answer},
    state::Shared,
};

/// Runs of each kind that are shown.
const SHOWN: u64 = 20;
/// How far back failures are shown.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// And counts, and triggers that could not start a run.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What one looks at first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Overview {
    /// DAGs whose newest run failed in the last seven days: that run.
    pub failed: Vec<RunItem>,
    /// DAG files with errors.
    pub broken: Vec<BrokenDag>,
    /// Triggers that could not start a run in the last 24 hours, and have started none since; newest first.
    pub trigger_failures: Vec<TriggerFailure>,
    /// Queues that DAGs listen to and that are not connected.
    pub queues: Vec<LostQueue>,
    /// Destinations of notifications of which the last failed.
    pub destinations: Vec<FailingDestination>,
    /// What is older than it may be.
    pub late: Vec<FreshnessItem>,
    /// What waits for a person, oldest first.
    pub waiting: Vec<ApprovalItem>,
    /// What runs now, newest first.
    pub running: Vec<RunningItem>,
    /// Every dataset with its newest version.
    pub freshness: Vec<FreshnessItem>,
    /// Runs by state, of the last 24 hours, and open ones.
    pub counts: BTreeMap<String, u64>,
    /// The last event's cursor, to follow from with `/stream?after=`.
    pub cursor: i64,
}

/// A run that is under way.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunningItem {
    /// The run.
    #[serde(flatten)]
    pub run: RunItem,
    /// Tasks by state.
    pub tasks: BTreeMap<String, u64>,
}

/// How new a dataset is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FreshnessItem {
    /// The dataset.
    pub dataset: String,
    /// The DAG that sets the deadline.
    pub dag: Option<String>,
    /// Its newest version.
    pub version: Option<u64>,
    /// When that was published.
    pub newest_at: Option<Timestamp>,
    /// When the next one is due, where a DAG says so.
    pub deadline: Option<Timestamp>,
    /// Whether it is past that.
    pub late: bool,
}

/// The overview.
#[utoipa::path(get, path = "/overview", tag = "overview", operation_id = "overview",
    responses((status = 200, body = Overview)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(State(app): State<Shared>) -> Answer<Json<Overview>> {
    let now = Timestamp::now();
    let open = RunFilter {
        states: RunState::OPEN.to_vec(),
        limit: SHOWN,
        ..RunFilter::default()
    };
    let running = app.meta.runs(&open).await?;
    let ids: Vec<String> = running.iter().map(|run| run.id.clone()).collect();
    let mut progress: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for cell in app.meta.task_cells(&ids).await? {
        *progress
            .entry(cell.run)
            .or_default()
            .entry(cell.state.to_string())
            .or_default() += 1;
    }
    let since = now.checked_sub(RECENT).unwrap_or(now);
    let failed = app.meta.failing_dags(since, SHOWN).await?;
    let day_ago = now.checked_sub(DAY).unwrap_or(now);
    let counts = app.meta.run_counts(Some(day_ago)).await?;
    let waiting = app.meta.open_approvals(None).await?;
    let freshness = app.freshness().await?;
    Ok(Json(Overview {
        failed: failed.iter().map(RunItem::from).collect(),
        broken: trouble::broken(&app),
        trigger_failures: trouble::failures(&app, day_ago).await?,
        queues: trouble::queues(&app),
        destinations: trouble::destinations(&app).await?,
        late: freshness.iter().filter(|item| item.late).cloned().collect(),
        waiting: waiting
            .iter()
            .take(SHOWN as usize)
            .map(ApprovalItem::from)
            .collect(),
        running: running
            .iter()
            .map(|run| RunningItem {
                tasks: progress.remove(&run.id).unwrap_or_default(),
                run: run.into(),
            })
            .collect(),
        freshness,
        counts: counts
            .into_iter()
            .map(|(state, count)| (state.to_string(), count))
            .collect(),
        cursor: app.meta.last_event().await?,
    }))
}
