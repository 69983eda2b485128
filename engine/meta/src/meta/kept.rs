//! Answers kept for repeated requests, and the keys that requests under way have taken.

use jiff::Timestamp;
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, sea_query::ExprTrait};

use super::Meta;
use crate::{
    KeptAnswer, MetaError,
    entity::{accounts::kept_answer, micros, number, time},
};

impl Meta {
    /// Takes a key for a request: none where it was free, else what stands under it. An answer from before `since` does
    /// not count, and neither does a claim without one whose server has not said since `stale` that it is at work.
    ///
    /// # Errors
    /// `meta.not_writable`; `meta.exists` where another takes it at this moment.
    pub async fn claim_answer(
        &self,
        row: &KeptAnswer,
        since: Timestamp,
        stale: Timestamp,
    ) -> Result<Option<KeptAnswer>, MetaError> {
        use kept_answer::{Column, Entity, Model};
        let transaction = self.pools.begin().await?;
        let silent = Column::Status.is_null().and(Column::At.lt(micros(stale)));
        Entity::delete_many()
            .filter(Column::Key.eq(&row.key))
            .filter(Column::At.lt(micros(since)).or(silent))
            .exec(&transaction)
            .await?;
        if let Some(found) = Entity::find_by_id(&row.key).one(&transaction).await? {
            transaction.commit().await?;
            return kept_row(found).map(Some);
        }
        let model = Model {
            key: row.key.clone(),
            fingerprint: row.fingerprint.clone(),
            at: micros(row.at),
            status: None,
            content_type: None,
            body: None,
            owner: Some(row.owner.clone()),
        };
        Entity::insert(model.into_active_model())
            .exec_without_returning(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(None)
    }

    /// Keys that are taken and have no answer yet.
    ///
    /// # Errors
    /// As for every method.
    pub async fn open_claims(&self) -> Result<Vec<KeptAnswer>, MetaError> {
        let found = kept_answer::Entity::find()
            .filter(kept_answer::Column::Status.is_null())
            .all(&self.pools.reader)
            .await?;
        found.into_iter().map(kept_row).collect()
    }

    /// Says that the request whose key was taken is under way; whether the key is still its owner's.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn renew_claim(&self, key: &str, owner: &str, at: Timestamp) -> Result<bool, MetaError> {
        let transaction = self.pools.begin().await?;
        let renewed = kept_answer::Entity::update_many()
            .col_expr(kept_answer::Column::At, micros(at).into())
            .filter(claimed(key, owner))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(renewed.rows_affected > 0)
    }

    /// Keeps the answer to a request whose key was taken; without one the key is free again. A key that is not its
    /// owner's any more is left as it is.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn keep_answer(
        &self,
        key: &str,
        owner: &str,
        answer: Option<(u16, String, String)>,
    ) -> Result<(), MetaError> {
        use kept_answer::{Column, Entity};
        let transaction = self.pools.begin().await?;
        match answer {
            Some((status, content_type, body)) => {
                Entity::update_many()
                    .col_expr(Column::Status, i64::from(status).into())
                    .col_expr(Column::ContentType, content_type.into())
                    .col_expr(Column::Body, body.into())
                    .filter(claimed(key, owner))
                    .exec(&transaction)
                    .await?;
            }
            None => {
                Entity::delete_many()
                    .filter(claimed(key, owner))
                    .exec(&transaction)
                    .await?;
            }
        }
        Ok(transaction.commit().await?)
    }
}

/// A key that is taken by this owner and has no answer yet.
fn claimed(key: &str, owner: &str) -> Condition {
    use kept_answer::Column;
    Condition::all()
        .add(Column::Key.eq(key))
        .add(Column::Owner.eq(owner))
        .add(Column::Status.is_null())
}

fn kept_row(row: kept_answer::Model) -> Result<KeptAnswer, MetaError> {
    let status = row.status.map(|status| number("kept_answers.status", status));
    Ok(KeptAnswer {
        at: time("kept_answers.at", row.at)?,
        status: status.transpose()?,
        key: row.key,
        fingerprint: row.fingerprint,
        owner: row.owner.unwrap_or_default(),
        content_type: row.content_type,
        body: row.body,
    })
}
