//! Where notifications go, and how far they have got.

use jiff::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use super::Meta;
use crate::{
    DestinationAdvance, DestinationRow, MetaError,
    entity::{accounts::destination, json, micros, number, time, time_opt},
};

impl Meta {
    /// Where notifications go, by name.
    ///
    /// # Errors
    /// As for every method.
    pub async fn destinations(&self) -> Result<Vec<DestinationRow>, MetaError> {
        let found = destination::Entity::find()
            .order_by_asc(destination::Column::Name)
            .all(&self.pools.reader)
            .await?;
        found.into_iter().map(destination_row).collect()
    }

    /// Sets a destination. One that is there keeps its cursor, and whoever is sending there keeps doing so.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn put_destination(&self, row: &DestinationRow) -> Result<(), MetaError> {
        use destination::Column;
        let model = destination::Model {
            name: row.name.clone(),
            config: row.config.to_string(),
            cursor: row.cursor,
            tries: i64::from(row.tries),
            updated_at: micros(row.updated_at),
            last_error: row.last_error.clone(),
            next_at: row.next_at.map(micros),
            owner: None,
            lease_until: None,
        };
        let columns = [
            Column::Config,
            Column::Tries,
            Column::UpdatedAt,
            Column::LastError,
            Column::NextAt,
        ];
        self.put(model.into_active_model(), Column::Name, columns).await
    }

    /// Takes a destination until a time, so that no other server sends there meanwhile: the row as it stands, or none
    /// where it is gone, has got further than `cursor`, or is another's.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn lease_destination(
        &self,
        name: &str,
        cursor: i64,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<DestinationRow>, MetaError> {
        use destination::{Column, Entity};
        let transaction = self.pools.begin().await?;
        let leased = Entity::update_many()
            .col_expr(Column::Owner, owner.into())
            .col_expr(Column::LeaseUntil, micros(until).into())
            .filter(free_for(name, cursor, owner, now))
            .exec(&transaction)
            .await?;
        let found = match leased.rows_affected {
            0 => None,
            _ => Entity::find_by_id(name).one(&transaction).await?,
        };
        transaction.commit().await?;
        found.map(destination_row).transpose()
    }

    /// Notes how far a destination has got and lets go of it; whether it stood as was thought.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn advance_destination(&self, to: &DestinationAdvance) -> Result<bool, MetaError> {
        use destination::{Column, Entity};
        let mut only = free_for(&to.name, to.from, &to.owner, to.at);
        if let Some(since) = to.unless_changed_since {
            only = only.add(Column::UpdatedAt.eq(micros(since)));
        }
        let transaction = self.pools.begin().await?;
        let advanced = Entity::update_many()
            .col_expr(Column::Cursor, to.cursor.into())
            .col_expr(Column::Tries, i64::from(to.tries).into())
            .col_expr(Column::LastError, to.last_error.clone().into())
            .col_expr(Column::NextAt, to.next_at.map(micros).into())
            .col_expr(Column::Owner, None::<String>.into())
            .col_expr(Column::LeaseUntil, None::<i64>.into())
            .filter(only)
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(advanced.rows_affected > 0)
    }

    /// Removes a destination; whether there was one.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn delete_destination(&self, name: &str) -> Result<bool, MetaError> {
        self.delete::<destination::Entity>(destination::Column::Name.eq(name))
            .await
    }
}

/// A destination that has got as far as this and that nobody else is at.
fn free_for(name: &str, cursor: i64, owner: &str, now: Timestamp) -> Condition {
    use destination::Column;
    let free = Condition::any()
        .add(Column::LeaseUntil.is_null())
        .add(Column::LeaseUntil.lt(micros(now)))
        .add(Column::Owner.eq(owner));
    Condition::all()
        .add(Column::Name.eq(name))
        .add(Column::Cursor.eq(cursor))
        .add(free)
}

fn destination_row(row: destination::Model) -> Result<DestinationRow, MetaError> {
    Ok(DestinationRow {
        config: json("destinations.config", &row.config)?,
        tries: number("destinations.tries", row.tries)?,
        next_at: time_opt("destinations.next_at", row.next_at)?,
        updated_at: time("destinations.updated_at", row.updated_at)?,
        cursor: row.cursor,
        last_error: row.last_error,
        name: row.name,
    })
}
