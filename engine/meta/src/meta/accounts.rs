//! Users, tokens, sessions, sealed secrets.

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    sea_query::{IntoCondition, OnConflict},
};

use super::Meta;
use crate::{
    MetaError, SecretRow, SessionRow, TokenRow, UserRow,
    entity::{
        accounts::{secret, session, token, user},
        micros, time, time_opt,
    },
};

/// Users.
impl Meta {
    /// Users by name.
    ///
    /// # Errors
    /// As for every method.
    pub async fn users(&self) -> Result<Vec<UserRow>, MetaError> {
        let found = user::Entity::find()
            .order_by_asc(user::Column::Name)
            .all(&self.pools.reader)
            .await?;
        found.into_iter().map(user_row).collect()
    }

    /// Whether there is a user.
    ///
    /// # Errors
    /// As for every method.
    pub async fn has_users(&self) -> Result<bool, MetaError> {
        Ok(user::Entity::find().count(&self.pools.reader).await? > 0)
    }

    /// A user.
    ///
    /// # Errors
    /// `meta.not_found`.
    pub async fn user(&self, name: &str) -> Result<UserRow, MetaError> {
        let found = user::Entity::find_by_id(name).one(&self.pools.reader).await?;
        let none = || MetaError::NotFound {
            what: "user",
            id: name.chars().take(64).collect(),
        };
        user_row(found.ok_or_else(none)?)
    }

    /// Makes a user, who must not be there yet.
    ///
    /// # Errors
    /// `meta.exists`, `meta.not_writable`.
    pub async fn insert_user(&self, row: &UserRow) -> Result<(), MetaError> {
        let transaction = self.pools.begin().await?;
        user::Entity::insert(user_model(row)?)
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Changes a user, or makes one.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn put_user(&self, row: &UserRow) -> Result<(), MetaError> {
        use user::Column;
        let columns = [
            Column::Password,
            Column::Roles,
            Column::Disabled,
            Column::LastLoginAt,
        ];
        self.put(user_model(row)?, Column::Name, columns).await
    }

    /// Removes a user with sessions and tokens.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn delete_user(&self, name: &str) -> Result<(), MetaError> {
        let transaction = self.pools.begin().await?;
        session::Entity::delete_many()
            .filter(session::Column::User.eq(name))
            .exec(&transaction)
            .await?;
        token::Entity::delete_many()
            .filter(token::Column::User.eq(name))
            .exec(&transaction)
            .await?;
        user::Entity::delete_by_id(name).exec(&transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// Tokens and sessions.
impl Meta {
    /// All tokens, newest first.
    ///
    /// # Errors
    /// As for every method.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, MetaError> {
        let found = token::Entity::find()
            .order_by_desc(token::Column::Id)
            .all(&self.pools.reader)
            .await?;
        found.into_iter().map(token_row).collect()
    }

    /// The token with this hash.
    ///
    /// # Errors
    /// As for every method.
    pub async fn token(&self, hash: &str) -> Result<Option<TokenRow>, MetaError> {
        let found = token::Entity::find()
            .filter(token::Column::Hash.eq(hash))
            .one(&self.pools.reader)
            .await?;
        found.map(token_row).transpose()
    }

    /// The token of this id.
    ///
    /// # Errors
    /// As for every method.
    pub async fn token_by_id(&self, id: &str) -> Result<Option<TokenRow>, MetaError> {
        let found = token::Entity::find_by_id(id).one(&self.pools.reader).await?;
        found.map(token_row).transpose()
    }

    /// Makes a token, or notes its use.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn put_token(&self, row: &TokenRow) -> Result<(), MetaError> {
        let model = token::Model {
            id: row.id.clone(),
            name: row.name.clone(),
            user: row.user.clone(),
            hash: row.hash.clone(),
            scopes: words(&row.scopes)?,
            created_at: micros(row.created_at),
            expires_at: micros(row.expires_at),
            last_used_at: row.last_used_at.map(micros),
        };
        let used = [token::Column::LastUsedAt];
        self.put(model.into_active_model(), token::Column::Id, used).await
    }

    /// Removes a token.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn delete_token(&self, id: &str) -> Result<(), MetaError> {
        self.delete::<token::Entity>(token::Column::Id.eq(id)).await?;
        Ok(())
    }

    /// The session with this hash.
    ///
    /// # Errors
    /// As for every method.
    pub async fn session(&self, hash: &str) -> Result<Option<SessionRow>, MetaError> {
        let found = session::Entity::find_by_id(hash).one(&self.pools.reader).await?;
        found
            .map(|row| {
                Ok(SessionRow {
                    created_at: time("sessions.created_at", row.created_at)?,
                    expires_at: time("sessions.expires_at", row.expires_at)?,
                    hash: row.hash,
                    user: row.user,
                    csrf: row.csrf,
                })
            })
            .transpose()
    }

    /// Makes a session; those that ended before `now` go.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn insert_session(&self, row: &SessionRow, now: Timestamp) -> Result<(), MetaError> {
        let model = session::Model {
            hash: row.hash.clone(),
            user: row.user.clone(),
            csrf: row.csrf.clone(),
            created_at: micros(row.created_at),
            expires_at: micros(row.expires_at),
        };
        let transaction = self.pools.begin().await?;
        session::Entity::delete_many()
            .filter(session::Column::ExpiresAt.lt(micros(now)))
            .exec(&transaction)
            .await?;
        session::Entity::insert(model.into_active_model())
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn delete_session(&self, hash: &str) -> Result<(), MetaError> {
        self.delete::<session::Entity>(session::Column::Hash.eq(hash))
            .await?;
        Ok(())
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn delete_sessions_of(&self, user: &str) -> Result<(), MetaError> {
        self.delete::<session::Entity>(session::Column::User.eq(user))
            .await?;
        Ok(())
    }
}

/// Secrets.
impl Meta {
    /// Sealed secrets by name.
    ///
    /// # Errors
    /// As for every method.
    pub async fn secrets(&self) -> Result<Vec<SecretRow>, MetaError> {
        let found = secret::Entity::find()
            .order_by_asc(secret::Column::Name)
            .all(&self.pools.reader)
            .await?;
        found.into_iter().map(secret_row).collect()
    }

    /// A sealed secret; none where it is not set.
    ///
    /// # Errors
    /// As for every method.
    pub async fn secret(&self, name: &str) -> Result<Option<SecretRow>, MetaError> {
        let found = secret::Entity::find_by_id(name).one(&self.pools.reader).await?;
        found.map(secret_row).transpose()
    }

    /// Sets a secret.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn put_secret(&self, row: &SecretRow) -> Result<(), MetaError> {
        use secret::Column;
        let model = secret::Model {
            name: row.name.clone(),
            sealed: row.sealed.clone(),
            by: row.by.clone(),
            updated_at: micros(row.updated_at),
        };
        let columns = [Column::Sealed, Column::By, Column::UpdatedAt];
        self.put(model.into_active_model(), Column::Name, columns).await
    }

    /// Removes a secret; whether there was one.
    ///
    /// # Errors
    /// `meta.not_writable`.
    pub async fn delete_secret(&self, name: &str) -> Result<bool, MetaError> {
        self.delete::<secret::Entity>(secret::Column::Name.eq(name)).await
    }
}

/// What these have in common: one statement, one transaction.
impl Meta {
    /// Inserts a row, or changes these columns of the one that stands under the same key.
    pub(super) async fn put<A>(
        &self,
        row: A,
        key: <A::Entity as EntityTrait>::Column,
        columns: impl IntoIterator<Item = <A::Entity as EntityTrait>::Column>,
    ) -> Result<(), MetaError>
    where
        A: sea_orm::ActiveModelTrait + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        let conflict = OnConflict::column(key).update_columns(columns).to_owned();
        let transaction = self.pools.begin().await?;
        A::Entity::insert(row)
            .on_conflict(conflict)
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Deletes rows; whether there were any.
    pub(super) async fn delete<E: EntityTrait>(&self, which: impl IntoCondition) -> Result<bool, MetaError> {
        let transaction = self.pools.begin().await?;
        let deleted = E::delete_many().filter(which).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(deleted.rows_affected > 0)
    }
}

fn words(words: &[String]) -> Result<String, MetaError> {
    serde_json::to_string(words).map_err(|error| MetaError::Corrupt {
        place: "words".to_owned(),
        reason: error.to_string(),
    })
}

fn word_list(place: &str, text: &str) -> Result<Vec<String>, MetaError> {
    serde_json::from_str(text).map_err(|error| MetaError::Corrupt {
        place: place.to_owned(),
        reason: error.to_string(),
    })
}

fn user_model(row: &UserRow) -> Result<user::ActiveModel, MetaError> {
    Ok(user::Model {
        name: row.name.clone(),
        password: row.password.clone(),
        roles: words(&row.roles)?,
        disabled: row.disabled,
        created_at: micros(row.created_at),
        last_login_at: row.last_login_at.map(micros),
    }
    .into_active_model())
}

fn user_row(row: user::Model) -> Result<UserRow, MetaError> {
    Ok(UserRow {
        roles: word_list("users.roles", &row.roles)?,
        created_at: time("users.created_at", row.created_at)?,
        last_login_at: time_opt("users.last_login_at", row.last_login_at)?,
        name: row.name,
        password: row.password,
        disabled: row.disabled,
    })
}

fn secret_row(row: secret::Model) -> Result<SecretRow, MetaError> {
    Ok(SecretRow {
        updated_at: time("secrets.updated_at", row.updated_at)?,
        name: row.name,
        sealed: row.sealed,
        by: row.by,
    })
}

fn token_row(row: token::Model) -> Result<TokenRow, MetaError> {
    Ok(TokenRow {
        scopes: word_list("tokens.scopes", &row.scopes)?,
        created_at: time("tokens.created_at", row.created_at)?,
        expires_at: time("tokens.expires_at", row.expires_at)?,
        last_used_at: time_opt("tokens.last_used_at", row.last_used_at)?,
        id: row.id,
        name: row.name,
        user: row.user,
        hash: row.hash,
    })
}
