//! The index by which events of one kind are found, newest first.

use sea_orm_migration::prelude::*;

use super::m0001_tables::index;

pub struct Fifth;

impl MigrationName for Fifth {
    fn name(&self) -> &'static str {
        "m0005_events"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Fifth {
    #[expect(elided_lifetimes_in_paths, reason = "the trait's own signature elides it")]
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kinds = index("events_kind", "events", &["kind", "id"]);
        manager.create_index(kinds).await
    }
}
