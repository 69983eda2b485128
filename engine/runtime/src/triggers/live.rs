//! A trigger that is watched.

use std::collections::VecDeque;

use jiff::Timestamp;
use twinloom_meta::{Change, TriggerAdvance, TriggerDecisionRow, TriggerRow};

use super::{
    machine::Machine,
    seen::Seen,
    state::{Cause, Decided, State},
};
use crate::EngineError;

/// A trigger with its row as the database has it.
pub struct Live {
    /// The row.
    pub row: TriggerRow,
    /// What it holds by now: ahead of the row by the events since.
    pub machine: Machine,
    /// The last event that the machine has taken in.
    pub cursor: i64,
    /// Runs to start, in order.
    pub pending: VecDeque<Pending>,
    /// Decisions that are not written yet.
    pub decisions: Vec<TriggerDecisionRow>,
    /// When a run that could not be started is tried again.
    pub not_before: Option<Timestamp>,
}

/// A run to start.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Why.
    pub cause: Cause,
    /// The trigger's state after it.
    pub state: State,
    /// The last event that the state has taken in.
    pub cursor: i64,
}

impl Live {
    /// A trigger as its row says.
    pub fn new(row: TriggerRow) -> Result<Self, EngineError> {
        let unreadable = |error: serde_json::Error| {
            EngineError::Meta(twinloom_meta::MetaError::Corrupt {
                place: "triggers.state".to_owned(),
                reason: error.to_string(),
            })
        };
        let machine = Machine {
            dag: row.dag.clone(),
            condition: serde_json::from_value(row.definition.clone()).map_err(unreadable)?,
            state: serde_json::from_value(row.state.clone()).map_err(unreadable)?,
        };
        Ok(Self {
            cursor: row.cursor,
            row,
            machine,
            pending: VecDeque::new(),
            decisions: Vec::new(),
            not_before: None,
        })
    }

    /// Takes an event in.
    pub fn observe(&mut self, seen: &Seen) {
        let mut decided = Vec::new();
        self.machine.catch_up(seen.at, &mut decided);
        self.take(decided, seen.id - 1);
        let mut decided = Vec::new();
        self.machine.observe(seen, &mut decided);
        self.take(decided, seen.id);
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Timestamp) {
        let mut decided = Vec::new();
        self.machine.tick(now, &mut decided);
        self.take(decided, self.cursor);
    }

    fn take(&mut self, decided: Vec<Decided>, cursor: i64) {
        for decision in decided {
            match decision {
                Decided::Fire(cause, state) => self.pending.push_back(Pending {
                    cause: *cause,
                    state: *state,
                    cursor,
                }),
                Decided::Pass {
                    key,
                    event,
                    at,
                    reason,
                } => self.decisions.push(TriggerDecisionRow {
                    dag: self.row.dag.clone(),
                    trigger: self.row.id.clone(),
                    cause: key,
                    event,
                    at,
                    fired: false,
                    run: None,
                    reason,
                }),
            }
        }
    }

    /// Whether something is to be written that is not a run.
    pub fn is_dirty(&self, slack: i64) -> bool {
        self.pending.is_empty() && (!self.decisions.is_empty() || self.cursor - self.row.cursor > slack)
    }

    /// Moves the row to where the machine is, together with the decisions on the way.
    pub fn checkpoint(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = self.decisions.iter().cloned().map(Change::from).collect();
        changes.push(self.advance(&self.machine.state, self.cursor, None).into());
        changes
    }

    /// Moves the row to a state.
    pub fn advance(&self, state: &State, cursor: i64, fired: Option<(Timestamp, String)>) -> TriggerAdvance {
        let machine = Machine {
            state: state.clone(),
            ..self.machine.clone()
        };
        TriggerAdvance {
            dag: self.row.dag.clone(),
            id: self.row.id.clone(),
            rev: self.row.rev,
            cursor,
            state: serde_json::to_value(state).unwrap_or_default(),
            due_at: machine.due_at(),
            fired,
        }
    }

    /// The row was moved.
    pub fn advanced(&mut self, to: TriggerAdvance) {
        self.row.rev = to.rev + 1;
        (self.row.cursor, self.row.state, self.row.due_at) = (to.cursor, to.state, to.due_at);
        if let Some((at, run)) = to.fired {
            (self.row.last_fired_at, self.row.last_run) = (Some(at), Some(run));
        }
    }
}
