//! Who is at work on a kept answer and on a destination of notifications.

use sea_orm_migration::prelude::*;

use super::m0001_tables::{int, text};

pub struct Fourth;

impl MigrationName for Fourth {
    fn name(&self) -> &'static str {
        "m0004_claims"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Fourth {
    #[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ("kept_answers", text("owner")),
            ("destinations", text("owner")),
            ("destinations", int("lease_until")),
        ];
        for (table, column) in columns {
            manager
                .alter_table(Table::alter().table(table).add_column(column).take())
                .await?;
        }
        Ok(())
    }
}
