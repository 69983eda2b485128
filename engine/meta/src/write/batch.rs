//! Rows for one table, written with as few statements as possible.

use std::collections::HashMap;

use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement};
use serde_json::{Map, Value};

use super::{cells::Cells, sql, tables::Table};
use crate::MetaError;

/// Rows in one statement: keeps the JSON parameter at a few MB and its parsing linear.
const ROWS: usize = 1_000;
/// Bytes in one statement, about.
const BYTES: usize = 4 << 20;

/// What is done with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They must be new.
    Insert,
    /// They take the place of those of the same key.
    Replace,
    /// They must be there.
    Update,
}

/// Rows for one table. Rows of the same key are merged, the later one's columns winning, unless they must be new.
#[derive(Debug)]
pub struct Batch {
    table: &'static Table,
    mode: Mode,
    rows: Vec<Map<String, Value>>,
    by_key: HashMap<String, usize>,
}

impl Batch {
    pub fn new(table: &'static Table, mode: Mode) -> Self {
        Self {
            table,
            mode,
            rows: Vec::new(),
            by_key: HashMap::new(),
        }
    }

    pub fn push(&mut self, cells: Cells) {
        if self.mode == Mode::Insert {
            self.rows.push(cells.0);
            return;
        }
        let key: Vec<&Value> = self
            .table
            .key
            .iter()
            .filter_map(|column| cells.0.get(*column))
            .collect();
        let key = serde_json::to_string(&key).unwrap_or_default();
        match self.by_key.get(&key).and_then(|at| self.rows.get_mut(*at)) {
            Some(row) => row.extend(cells.0),
            None => {
                self.by_key.insert(key, self.rows.len());
                self.rows.push(cells.0);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Puts an ascending number into every row, from `first`.
    pub fn number(&mut self, column: &str, first: i64) {
        for (number, row) in (first..).zip(&mut self.rows) {
            row.insert(column.to_owned(), number.into());
        }
    }

    pub async fn write(self, transaction: &DatabaseTransaction) -> Result<(), MetaError> {
        let backend = transaction.get_database_backend();
        for chunk in chunks(self.rows) {
            let text = match self.mode {
                Mode::Insert => sql::insert(self.table, false, backend),
                Mode::Replace => sql::insert(self.table, true, backend),
                Mode::Update => {
                    let columns = present(self.table, &chunk);
                    if columns.is_empty() {
                        continue;
                    }
                    sql::update(self.table, &columns, backend)
                }
            };
            let count = chunk.len() as u64;
            let statement = Statement::from_sql_and_values(backend, text, [parameter(chunk).into()]);
            let written = transaction.execute_raw(statement).await?.rows_affected();
            if self.mode == Mode::Update && written != count {
                return Err(MetaError::NotFound {
                    what: self.table.name,
                    id: format!("{} rows of {count}", count - written),
                });
            }
        }
        Ok(())
    }
}

/// The JSON array that a statement takes.
pub fn parameter(rows: Vec<Map<String, Value>>) -> String {
    Value::Array(rows.into_iter().map(Value::Object).collect()).to_string()
}

/// Columns that some row has, each with whether all have it; in the table's order, so that equal sets give equal SQL.
fn present<'t>(table: &'t Table, rows: &[Map<String, Value>]) -> Vec<(&'t str, bool)> {
    table
        .columns
        .iter()
        .filter(|(name, _)| !table.key.contains(name))
        .filter_map(|(name, _)| {
            let count = rows.iter().filter(|row| row.contains_key(*name)).count();
            (count > 0).then_some((*name, count == rows.len()))
        })
        .collect()
}

fn chunks(rows: Vec<Map<String, Value>>) -> Vec<Vec<Map<String, Value>>> {
    let mut chunks = Vec::new();
    let mut chunk = Vec::new();
    let mut bytes = 0;
    for row in rows {
        let size: usize = row
            .values()
            .map(|value| value.as_str().map_or(16, str::len))
            .sum();
        if !chunk.is_empty() && (chunk.len() >= ROWS || bytes + size > BYTES) {
            chunks.push(std::mem::take(&mut chunk));
            bytes = 0;
        }
        bytes += size;
        chunk.push(row);
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}
