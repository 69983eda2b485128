//! Triggers as cursors on the log of events, what they decided, paused DAGs, and the indexes that lists need.

use sea_orm_migration::prelude::*;

use super::m0001_tables::{index, int, table, text};

pub struct Second;

impl MigrationName for Second {
    fn name(&self) -> &'static str {
        "m0002_triggers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Second {
    #[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        let given = ColumnDef::new("given").big_integer().not_null().default(0).take();
        manager
            .alter_table(Table::alter().table("approvals").add_column(given).take())
            .await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn boolean(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().take()
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "triggers",
            &["dag", "id"],
            &[
                text("dag"),
                text("id"),
                text("kind"),
                text("definition"),
                int("rev"),
                int("cursor"),
                text("state"),
                int("registered_at"),
            ],
            &[int("due_at"), int("last_fired_at"), text("last_run")],
        ),
        table(
            "trigger_decisions",
            &["dag", "trigger", "cause"],
            &[
                text("dag"),
                text("trigger"),
                text("cause"),
                int("at"),
                boolean("fired"),
                text("reason"),
            ],
            &[int("event"), text("run")],
        ),
        table(
            "dag_states",
            &["dag"],
            &[text("dag"), boolean("paused"), text("by"), int("at")],
            &[],
        ),
        // What must not be taken twice: signatures of webhooks, ids of messages.
        table(
            "seen_keys",
            &["scope", "key"],
            &[text("scope"), text("key"), int("at")],
            &[],
        ),
    ]
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("trigger_decisions_at", "trigger_decisions", &["dag", "at"]),
        index("trigger_decisions_age", "trigger_decisions", &["at"]),
        index("seen_keys_at", "seen_keys", &["at"]),
        index("runs_dag_state", "runs", &["dag", "state", "created_at", "id"]),
        index("approvals_opened", "approvals", &["opened_at", "run", "task"]),
    ]
}
