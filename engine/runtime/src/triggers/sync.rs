//! Triggers as the DAG files have them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use twinloom_meta::{Change, MetaError, TriggerRow};

use super::{
    actor::{Key, Triggers},
    condition::Condition,
    live::Live,
    machine::Machine,
    schedule,
    state::State,
};
use crate::EngineError;

impl Triggers {
    /// Takes up triggers that are new, drops those that are gone. A trigger is known by its condition: a DAG file that
    /// changes elsewhere leaves it as it is.
    pub(super) async fn sync(&mut self) -> Result<(), EngineError> {
        let generation = *self.dags.subscribe().borrow();
        let mut wanted: BTreeMap<Key, Condition> = BTreeMap::new();
        let mut paused = BTreeSet::new();
        for entry in self.dags.entries() {
            let Some(dag) = &entry.dag else { continue };
            for condition in Condition::of(dag) {
                wanted.insert((entry.name.clone(), condition.id()), condition);
            }
            if entry.paused {
                paused.insert(entry.name);
            }
        }
        let mut stored: BTreeMap<Key, TriggerRow> = self
            .meta()
            .triggers(None)
            .await?
            .into_iter()
            .map(|row| ((row.dag.clone(), row.id.clone()), row))
            .collect();
        let mut new = Vec::new();
        for (key, condition) in &wanted {
            if !stored.contains_key(key) {
                let row = self.registration(key, condition, paused.contains(&key.0)).await?;
                stored.insert(key.clone(), row.clone());
                new.push(Change::from(row));
            }
        }
        // Of DAGs that were never seen here nothing is removed: their folder may not be there right now.
        let dags: BTreeSet<&String> = wanted.keys().map(|(dag, _)| dag).collect();
        let gone: Vec<Key> = stored
            .keys()
            .filter(|key| !wanted.contains_key(*key))
            .filter(|key| dags.contains(&key.0) || self.live.contains_key(*key))
            .cloned()
            .collect();
        let removed = gone.iter().map(|(dag, id)| Change::RemoveTrigger {
            dag: dag.clone(),
            id: id.clone(),
        });
        let changes: Vec<Change> = new.into_iter().chain(removed).collect();
        if !changes.is_empty() {
            match self.meta().apply(changes, &[]).await {
                // Another scheduler was faster: the next round reads its rows.
                Err(MetaError::Exists { .. }) => return Ok(()),
                done => done?,
            }
        }
        self.live.retain(|key, _| wanted.contains_key(key));
        for key in wanted.into_keys() {
            if let (false, Some(row)) = (self.live.contains_key(&key), stored.remove(&key)) {
                self.cursor = self.cursor.min(row.cursor);
                self.live.insert(key, Live::new(row)?);
            }
        }
        self.generation = Some(generation);
        Ok(())
    }

    async fn registration(
        &self,
        key: &Key,
        condition: &Condition,
        paused: bool,
    ) -> Result<TriggerRow, EngineError> {
        let now = self.engine.now();
        let mut state = State {
            paused,
            ..State::default()
        };
        match condition {
            Condition::Schedule(spec) => state.after = Some(schedule::origin(spec, now)),
            // A dataset that was never published is late when it has not come in time from now.
            Condition::Freshness(spec) => {
                state.newest = Some(self.newest(&spec.dataset).await?.unwrap_or(now));
            }
            _ => {}
        }
        let machine = Machine {
            dag: key.0.clone(),
            condition: condition.clone(),
            state,
        };
        Ok(TriggerRow {
            dag: key.0.clone(),
            id: key.1.clone(),
            kind: condition.kind().to_owned(),
            definition: serde_json::to_value(condition).unwrap_or_default(),
            rev: 0,
            cursor: self.meta().last_event().await?,
            state: serde_json::to_value(&machine.state).unwrap_or_default(),
            registered_at: now,
            due_at: machine.due_at(),
            last_fired_at: None,
            last_run: None,
        })
    }

    /// When the newest version of a dataset was made, or last found to be unchanged.
    pub(super) async fn newest(&self, dataset: &str) -> Result<Option<Timestamp>, EngineError> {
        Ok(self.meta().dataset_confirmed_at(dataset).await?)
    }
}
