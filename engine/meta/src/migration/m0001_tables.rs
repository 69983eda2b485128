//! The first tables. Times are microseconds since 1970 in UTC; JSON is kept as text, so that it comes back as it was.

use sea_orm_migration::prelude::*;

pub struct First;

impl MigrationName for First {
    fn name(&self) -> &'static str {
        "m0001_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for First {
    #[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        // Event ids are given out under the lock of this row, so that they grow in the order of commits.
        let counter = Query::insert()
            .into_table("counters")
            .columns(["name", "value"])
            .values_panic(["events".into(), 0.into()])
            .take();
        manager.get_connection().execute(&counter).await?;
        Ok(())
    }
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "runs",
            &["id"],
            &[
                text("id"),
                text("dag"),
                text("params"),
                text("state"),
                text("trigger"),
                int("created_at"),
            ],
            &[
                int("started_at"),
                int("ended_at"),
                text("owner"),
                int("lease_until"),
                text("error"),
            ],
        )
        .col(ColumnDef::new("epoch").big_integer().not_null().default(0))
        .take(),
        // Apart, because they are large and never change.
        table(
            "run_documents",
            &["run"],
            &[text("run"), text("plan"), text("dag_text")],
            &[],
        ),
        table(
            "tasks",
            &["run", "id"],
            &[
                text("run"),
                text("id"),
                int("position"),
                text("step"),
                text("operator"),
                text("state"),
                int("attempt"),
            ],
            &[
                text("config"),
                text("cache_key"),
                text("metrics"),
                text("error"),
                text("reason"),
                int("queued_at"),
                int("started_at"),
                int("ended_at"),
                int("next_attempt_at"),
            ],
        ),
        table(
            "attempts",
            &["run", "task", "attempt"],
            &[text("run"), text("task"), int("attempt"), int("started_at")],
            &[
                int("pid"),
                int("pgid"),
                text("process"),
                int("ended_at"),
                text("outcome"),
                text("error"),
            ],
        ),
        table(
            "artifacts",
            &["run", "task", "port"],
            &[
                text("run"),
                text("task"),
                text("port"),
                text("kind"),
                text("name"),
                int("version"),
                text("hash"),
                text("outcome"),
            ],
            &[int("rows")],
        ),
        log(
            "metric_points",
            &[text("run"), text("task"), text("name"), int("at")],
            &[int("step"), ColumnDef::new("value").double().take()],
        ),
        table(
            "cache_entries",
            &["key"],
            &[
                text("key"),
                text("outputs"),
                text("metrics"),
                text("run"),
                text("task"),
                int("at"),
            ],
            &[],
        ),
        table(
            "approvals",
            &["run", "task"],
            &[text("run"), text("task"), text("request"), int("opened_at")],
            &[int("expires_at"), int("closed_at"), text("outcome")],
        ),
        log(
            "decisions",
            &[
                text("run"),
                text("task"),
                ColumnDef::new("approved").boolean().take(),
                text("by"),
                int("at"),
                text("evidence"),
            ],
            &[text("comment")],
        ),
        table(
            "events",
            &["id"],
            &[
                int("id"),
                text("kind"),
                text("subject"),
                text("payload"),
                int("at"),
            ],
            &[],
        ),
        table("counters", &["name"], &[text("name"), int("value")], &[]),
        table(
            "dataset_versions",
            &["name", "version"],
            &[
                text("name"),
                int("version"),
                text("hash"),
                int("rows"),
                int("bytes"),
                int("created_at"),
            ],
            &[int("parent"), text("changes"), text("run"), text("task")],
        ),
        table(
            "model_versions",
            &["name", "version"],
            &[
                text("name"),
                int("version"),
                text("hash"),
                text("metrics"),
                int("created_at"),
            ],
            &[text("base"), text("run"), text("task")],
        ),
        table(
            "aliases",
            &["kind", "name", "alias"],
            &[
                text("kind"),
                text("name"),
                text("alias"),
                int("version"),
                text("by"),
                text("reason"),
                int("moved_at"),
            ],
            &[int("previous")],
        ),
        log(
            "audit_log",
            &[
                int("at"),
                text("by"),
                text("action"),
                text("subject"),
                text("detail"),
            ],
            &[],
        ),
    ]
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("runs_created", "runs", &["created_at", "id"]),
        index("runs_dag", "runs", &["dag", "created_at", "id"]),
        index("runs_state", "runs", &["state", "created_at", "id"]),
        index("attempts_open", "attempts", &["run", "task"])
            .and_where(Expr::col("ended_at").is_null())
            .take(),
        index("artifacts_version", "artifacts", &["kind", "name", "version"]),
        index("metric_points_task", "metric_points", &["run", "task"]),
        index("approvals_open", "approvals", &["run", "task"])
            .and_where(Expr::col("closed_at").is_null())
            .take(),
        index("decisions_task", "decisions", &["run", "task"]),
    ]
}

pub(super) fn text(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).text().take()
}

pub(super) fn int(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().take()
}

/// A table with these key columns, all of `required` NOT NULL.
pub(super) fn table(
    name: &'static str,
    key: &[&'static str],
    required: &[ColumnDef],
    optional: &[ColumnDef],
) -> TableCreateStatement {
    let mut table = columns(name, required, optional);
    let mut primary = Index::create();
    for column in key {
        primary.col(*column);
    }
    table.primary_key(&mut primary).take()
}

/// A table that only grows, with `id` counting up.
fn log(name: &'static str, required: &[ColumnDef], optional: &[ColumnDef]) -> TableCreateStatement {
    let mut table = columns(name, required, optional);
    table
        .col(
            ColumnDef::new("id")
                .big_integer()
                .not_null()
                .auto_increment()
                .primary_key(),
        )
        .take()
}

fn columns(name: &'static str, required: &[ColumnDef], optional: &[ColumnDef]) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name);
    for column in required {
        table.col(column.clone().not_null());
    }
    for column in optional {
        table.col(column.clone());
    }
    table
}

pub(super) fn index(
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
) -> IndexCreateStatement {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    index
}
