//! The tables and how they came to be. A migration is never changed once it is released; a new one follows it.

mod m0001_tables;
mod m0002_triggers;
mod m0003_accounts;
mod m0004_claims;
mod m0005_events;

use sea_orm_migration::prelude::*;

/// All migrations, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_tables::First),
            Box::new(m0002_triggers::Second),
            Box::new(m0003_accounts::Third),
            Box::new(m0004_claims::Fourth),
            Box::new(m0005_events::Fifth),
        ]
    }
}
