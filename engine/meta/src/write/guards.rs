//! Changes that hold only while what was read before still stands.

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};

use crate::{MetaError, TriggerAdvance, entity::micros};

/// One statement that must touch its row.
#[derive(Debug)]
pub struct Guard {
    sql: &'static str,
    values: Vec<Value>,
    /// What has changed meanwhile where it touches none; none where that does not matter.
    what: Option<(&'static str, String)>,
}

impl Guard {
    pub fn trigger(advance: &TriggerAdvance) -> Self {
        let TriggerAdvance {
            dag,
            id,
            rev,
            cursor,
            state,
            due_at,
            fired,
        } = advance;
        let (fired_at, run) = match fired {
            Some((at, run)) => (Some(micros(*at)), Some(run.clone())),
            None => (None, None),
        };
        let sql = "UPDATE triggers SET rev = rev + 1, cursor = $1, state = $2, due_at = $3, \
                   last_fired_at = COALESCE($4, last_fired_at), last_run = COALESCE($5, last_run) \
                   WHERE dag = $6 AND id = $7 AND rev = $8";
        let values = vec![
            (*cursor).into(),
            state.to_string().into(),
            Value::BigInt(due_at.map(micros)),
            Value::BigInt(fired_at),
            Value::String(run),
            dag.as_str().into(),
            id.as_str().into(),
            (*rev).into(),
        ];
        Self {
            sql,
            values,
            what: Some(("trigger", format!("{dag}/{id}"))),
        }
    }

    pub fn removal(dag: &str, id: &str) -> Self {
        Self {
            sql: "DELETE FROM triggers WHERE dag = $1 AND id = $2",
            values: vec![dag.into(), id.into()],
            what: None,
        }
    }

    pub fn approval(run: &str, task: &str, given: u32) -> Self {
        let sql = "UPDATE approvals SET given = given + 1 \
                   WHERE run = $1 AND task = $2 AND given = $3 AND closed_at IS NULL";
        Self {
            sql,
            values: vec![run.into(), task.into(), i64::from(given).into()],
            what: Some(("approval", format!("{run}/{task}"))),
        }
    }

    pub async fn write(self, transaction: &DatabaseTransaction) -> Result<(), MetaError> {
        let backend = transaction.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, self.sql, self.values);
        let touched = transaction.execute_raw(statement).await?.rows_affected();
        match self.what {
            Some((what, id)) if touched == 0 => Err(MetaError::Superseded { what, id }),
            _ => Ok(()),
        }
    }
}
