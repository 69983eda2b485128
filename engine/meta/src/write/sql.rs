//! SQL whose only parameter is a JSON array of rows: the text depends on the columns alone, so a statement is prepared
//! once whatever the number of rows, and neither database's limit on parameters matters.

use std::fmt::Write as _;

use sea_orm::DbBackend;

use super::tables::{Kind, Table};

/// Inserts every row; with `replace`, a row of the same key is overwritten.
pub fn insert(table: &Table, replace: bool, backend: DbBackend) -> String {
    let columns: Vec<String> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
    let values: Vec<String> = table
        .columns
        .iter()
        .map(|(name, kind)| value(name, *kind, backend))
        .collect();
    let mut sql = format!(
        "INSERT INTO {} ({}) SELECT {} FROM {} WHERE true",
        quoted(table.name),
        columns.join(", "),
        values.join(", "),
        rows(backend)
    );
    if replace {
        let key: Vec<String> = table.key.iter().map(|name| quoted(name)).collect();
        let sets: Vec<String> = table
            .columns
            .iter()
            .filter(|(name, _)| !table.key.contains(name))
            .map(|(name, _)| format!("{0} = excluded.{0}", quoted(name)))
            .collect();
        let _ = write!(
            sql,
            " ON CONFLICT ({}) DO UPDATE SET {}",
            key.join(", "),
            sets.join(", ")
        );
    }
    sql
}

/// Updates rows by key. A column is `always` in every row, or else left alone in rows that lack it.
pub fn update(table: &Table, columns: &[(&str, bool)], backend: DbBackend) -> String {
    let sets: Vec<String> = columns
        .iter()
        .filter_map(|(name, always)| {
            let value = value(name, table.kind(name)?, backend);
            let column = quoted(name);
            Some(match (always, backend) {
                (true, _) => format!("{column} = {value}"),
                (false, DbBackend::Postgres) => {
                    format!("{column} = CASE WHEN v.value ? '{name}' THEN {value} ELSE t.{column} END")
                }
                (false, _) => format!(
                    "{column} = CASE WHEN json_type(v.value, '$.{name}') IS NULL THEN t.{column} ELSE {value} END"
                ),
            })
        })
        .collect();
    let key: Vec<String> = table
        .key
        .iter()
        .filter_map(|name| {
            Some(format!(
                "t.{} = {}",
                quoted(name),
                value(name, table.kind(name)?, backend)
            ))
        })
        .collect();
    format!(
        "UPDATE {} AS t SET {} FROM {} WHERE {}",
        quoted(table.name),
        sets.join(", "),
        rows(backend),
        key.join(" AND ")
    )
}

/// Ids of the runs among `{"id", "epoch"}` that still have that epoch, locked until the end of the transaction.
pub fn fence(backend: DbBackend) -> String {
    let id = value("id", Kind::Text, backend);
    let epoch = value("epoch", Kind::Int, backend);
    let lock = if backend == DbBackend::Postgres {
        " ORDER BY r.\"id\" FOR UPDATE OF r"
    } else {
        ""
    };
    format!(
        "SELECT r.\"id\" FROM \"runs\" AS r, {} WHERE r.\"id\" = {id} AND r.\"epoch\" = {epoch}{lock}",
        rows(backend)
    )
}

/// The parameter as a table `v` with one column `value`.
fn rows(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "jsonb_array_elements($1::jsonb) AS v(value)",
        _ => "json_each(?) AS v",
    }
}

fn value(column: &str, kind: Kind, backend: DbBackend) -> String {
    let text = format!("v.value ->> '{column}'");
    match (backend, kind) {
        (DbBackend::Postgres, Kind::Int) => format!("({text})::bigint"),
        (DbBackend::Postgres, Kind::Real) => format!("({text})::double precision"),
        (DbBackend::Postgres, Kind::Bool) => format!("({text})::boolean"),
        _ => format!("({text})"),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
