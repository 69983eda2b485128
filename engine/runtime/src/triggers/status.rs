//! What can be told about triggers, and the alerts of deadlines.

use serde_json::json;
use twinloom_meta::{Change, MetaError, NewEvent, TriggerDecisionRow, event};

use super::{
    actor::{Key, Triggers},
    condition::Condition,
    machine::later,
};
use crate::{
    EngineError,
    service::{Freshness, TriggerStatus},
};

impl Triggers {
    pub(super) fn status(&self, dag: &str) -> Vec<TriggerStatus> {
        let of_dag = self.live.iter().filter(|((of, _), _)| of == dag);
        of_dag
            .map(|((_, id), live)| TriggerStatus {
                id: id.clone(),
                kind: live.row.kind.clone(),
                description: live.machine.condition.describe(),
                condition: live.row.definition.clone(),
                state: live.machine.holds(),
                next_at: live.machine.due_at(),
                last_fired_at: live.row.last_fired_at,
                last_run: live.row.last_run.clone(),
                would_take: live.machine.would_take(),
                queue: None,
            })
            .collect()
    }

    /// Deadlines of datasets, those that are missed first.
    pub(super) async fn freshness(&self) -> Vec<Freshness> {
        let now = self.engine.now();
        let mut all = Vec::new();
        for live in self.live.values() {
            let Condition::Freshness(spec) = &live.machine.condition else {
                continue;
            };
            let found = self.newest(&spec.dataset).await.ok().flatten();
            let from = found
                .max(live.machine.state.newest)
                .unwrap_or(live.row.registered_at);
            let deadline = later(from, spec.max_age).unwrap_or(jiff::Timestamp::MAX);
            all.push(Freshness {
                dataset: spec.dataset.clone(),
                dag: live.row.dag.clone(),
                newest_at: found,
                deadline,
                late: deadline <= now,
            });
        }
        all.sort_by(|a, b| (!a.late, a.deadline, &a.dataset).cmp(&(!b.late, b.deadline, &b.dataset)));
        all
    }

    /// Raises an alert for each deadline that is missed, once.
    pub(super) async fn raise_alerts(&mut self) -> Result<(), EngineError> {
        let now = self.engine.now();
        let due: Vec<Key> = self
            .live
            .iter()
            .filter(|(_, live)| matches!(live.machine.condition, Condition::Freshness(_)))
            .filter(|(_, live)| live.machine.due_at().is_some_and(|due| due <= now))
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            let Some((Condition::Freshness(spec), known)) = self
                .live
                .get(&key)
                .map(|live| (live.machine.condition.clone(), live.machine.state.newest))
            else {
                continue;
            };
            let found = self.newest(&spec.dataset).await?;
            let Some(live) = self.live.get_mut(&key) else {
                continue;
            };
            if found > known {
                // Found to be unchanged by a later run: as good as new.
                live.machine.state.newest = found;
                continue;
            }
            let Some(deadline) = live.machine.due_at() else {
                continue;
            };
            live.machine.state.alerted = Some(deadline);
            let advance = live.advance(&live.machine.state, live.cursor, None);
            let reason = format!(
                "`{}` should have had a newer version by {deadline}.",
                spec.dataset
            );
            let payload = json!({
                "dataset": spec.dataset, "dag": key.0, "newest_at": found, "deadline": deadline, "reason": reason,
            });
            let changes = vec![
                Change::from(advance.clone()),
                Change::Event(NewEvent {
                    kind: event::FRESHNESS_MISSED.to_owned(),
                    subject: spec.dataset,
                    payload,
                    at: now,
                }),
                Change::from(TriggerDecisionRow {
                    dag: key.0.clone(),
                    trigger: key.1.clone(),
                    cause: format!("time:{deadline}"),
                    event: None,
                    at: deadline,
                    fired: true,
                    run: None,
                    reason,
                }),
            ];
            match self.meta().apply(changes, &[]).await {
                Ok(()) => {
                    if let Some(live) = self.live.get_mut(&key) {
                        live.advanced(advance);
                    }
                }
                Err(MetaError::Superseded { .. }) => self.read_again(&key).await?,
                Err(error) => {
                    self.read_again(&key).await?;
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }
}
