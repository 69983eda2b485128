//! Runs for schedule times of a range.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, json};
use twinloom_meta::{AuditRow, Change, RunFilter, RunState};

use super::{Fire, Service, ServiceError};
use crate::{
    RunId,
    triggers::{Condition, schedule},
};

/// More runs are not started at once.
const MOST: usize = 1000;
/// Runs read at a time.
const PAGE: u64 = 500;

impl Service {
    /// The schedule times from `from` up to and with `to`, each with the run that was started for it, where one was and
    /// did not fail.
    ///
    /// # Errors
    /// `dag.unknown`, `dag.no_trigger` without a schedule, `backfill.range` where it holds more than 1,000 times.
    pub async fn backfill_preview(
        &self,
        name: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Fire>, ServiceError> {
        let entry = self.known(name)?;
        let range = |what: String| ServiceError::Range {
            from: from.to_string(),
            to: to.to_string(),
            what,
        };
        if to < from {
            return Err(range("ends before it starts".into()));
        }
        // The range's first moment is part of it.
        let before = from
            .checked_sub(jiff::SignedDuration::from_nanos(1))
            .unwrap_or(from);
        let mut times = BTreeMap::new();
        let mut scheduled = false;
        for condition in entry.dag.iter().flat_map(|dag| Condition::of(dag)) {
            if let Condition::Schedule(spec) = &condition {
                scheduled = true;
                let why = condition.describe();
                let found = schedule::times(spec, before, Some(to), MOST + 1);
                times.extend(found.into_iter().map(|at| (at, why.clone())));
            }
        }
        if !scheduled {
            return Err(ServiceError::NoTrigger {
                name: name.to_owned(),
                what: "schedule",
            });
        }
        if times.len() > MOST {
            return Err(range(format!("holds more than {MOST} times")));
        }
        let made = self.scheduled_runs(name, from, to).await?;
        Ok(times
            .into_iter()
            .map(|(at, why)| Fire {
                at,
                why,
                run: made.get(&at).cloned(),
            })
            .collect())
    }

    /// Starts a run for each schedule time of the range that has none yet, oldest first. Said again, it starts what is
    /// still missing.
    ///
    /// # Errors
    /// As for [`Service::backfill_preview`]; what planning and the engine say.
    pub async fn backfill(
        &self,
        name: &str,
        from: Timestamp,
        to: Timestamp,
        by: &str,
    ) -> Result<Vec<RunId>, ServiceError> {
        let fires = self.backfill_preview(name, from, to).await?;
        let mut runs = Vec::new();
        for fire in fires.iter().filter(|fire| fire.run.is_none()) {
            let trigger = json!({ "kind": "backfill", "scheduled_for": fire.at, "reason": fire.why });
            runs.push(self.submit(name, &Map::new(), trigger, by).await?);
        }
        let audit = AuditRow {
            at: self.inner.engine.now(),
            by: by.to_owned(),
            action: "backfill".to_owned(),
            subject: name.to_owned(),
            detail: json!({ "from": from, "to": to, "runs": runs.len() }),
        };
        let meta = &self.inner.engine.config().meta;
        meta.apply(vec![Change::Audit(audit)], &[]).await?;
        Ok(runs)
    }

    /// Runs of the DAG by the schedule time that they were started for; those that failed do not count.
    async fn scheduled_runs(
        &self,
        name: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<BTreeMap<Timestamp, RunId>, ServiceError> {
        let mut made = BTreeMap::new();
        let mut filter = RunFilter {
            dag: Some(name.to_owned()),
            // No run is older than the time that it was started for.
            since: Some(from),
            limit: PAGE,
            ..RunFilter::default()
        };
        loop {
            let page = self.inner.engine.config().meta.runs(&filter).await?;
            let full = page.len() as u64 == PAGE;
            filter.before = page.last().map(|run| run.id.clone());
            for run in page {
                let time = run.trigger.get("scheduled_for").and_then(|at| at.as_str());
                let time = time.and_then(|at| at.parse::<Timestamp>().ok());
                let counts = !matches!(
                    run.state,
                    RunState::Failed | RunState::Cancelled | RunState::Skipped
                );
                if let Some(at) = time.filter(|at| counts && (from..=to).contains(at)) {
                    made.insert(at, run.id);
                }
            }
            if !full {
                return Ok(made);
            }
        }
    }
}
