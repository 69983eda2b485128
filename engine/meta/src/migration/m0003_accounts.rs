//! Users, API tokens, sessions, answers kept for repeated requests, sealed secrets, and where notifications go.

use sea_orm_migration::prelude::*;

use super::m0001_tables::{index, int, table, text};

pub struct Third;

impl MigrationName for Third {
    fn name(&self) -> &'static str {
        "m0003_accounts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Third {
    #[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables() {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().take()
}

fn tables() -> Vec<TableCreateStatement> {
    vec![
        table(
            "users",
            &["name"],
            &[
                text("name"),
                text("password"),
                text("roles"),
                flag("disabled"),
                int("created_at"),
            ],
            &[int("last_login_at")],
        ),
        table(
            "tokens",
            &["id"],
            &[
                text("id"),
                text("name"),
                text("user"),
                text("hash"),
                text("scopes"),
                int("created_at"),
                int("expires_at"),
            ],
            &[int("last_used_at")],
        ),
        table(
            "sessions",
            &["hash"],
            &[
                text("hash"),
                text("user"),
                text("csrf"),
                int("created_at"),
                int("expires_at"),
            ],
            &[],
        ),
        table(
            "kept_answers",
            &["key"],
            &[text("key"), text("fingerprint"), int("at")],
            &[int("status"), text("content_type"), text("body")],
        ),
        table(
            "secrets",
            &["name"],
            &[text("name"), text("sealed"), text("by"), int("updated_at")],
            &[],
        ),
        table(
            "destinations",
            &["name"],
            &[
                text("name"),
                text("config"),
                int("cursor"),
                int("tries"),
                int("updated_at"),
            ],
            &[text("last_error"), int("next_at")],
        ),
    ]
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("tokens_hash", "tokens", &["hash"]).unique().take(),
        index("sessions_user", "sessions", &["user"]),
        index("kept_answers_at", "kept_answers", &["at"]),
        index("audit_log_at", "audit_log", &["at"]),
    ]
}
