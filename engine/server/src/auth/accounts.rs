//! Users, sessions and tokens against the database.

use std::{net::IpAddr, sync::Mutex, time::Instant};

use jiff::{SignedDuration, Timestamp};
use twinloom_meta::{Meta, SessionRow, UserRow};

use super::{
    password,
    principal::{Means, Permission, Principal, Role},
    throttle::Throttle,
    token,
};
use crate::{
    api::access::roles_of,
    http::problem::{Answer, Problem},
};

/// How long a session lasts.
const SESSION: SignedDuration = SignedDuration::from_hours(12);
/// A token's use is noted this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Who may come in.
pub struct Accounts {
    meta: Meta,
    throttle: Throttle,
    /// Once there is a user the login stays on, until none is left.
    has_users: Mutex<Option<(bool, Instant)>>,
}

/// A session that was started.
pub struct Session {
    /// The cookie's value.
    pub value: String,
    /// The user.
    pub user: String,
    /// The user's roles.
    pub roles: Vec<Role>,
    /// What writes must carry.
    pub csrf: String,
}

impl Accounts {
    /// Over a database.
    pub fn new(meta: Meta) -> Self {
        Self {
            meta,
            throttle: Throttle::default(),
            has_users: Mutex::new(None),
        }
    }

    /// Whether there are users, and so a login. Known for a second, since every request asks; a change in this process
    /// is seen at once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn login_required(&self) -> Answer<bool> {
        let known = *self
            .has_users
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((has, at)) = known
            && at.elapsed().as_secs() < 1
        {
            return Ok(has);
        }
        let has = self.meta.has_users().await?;
        *self
            .has_users
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some((has, Instant::now()));
        Ok(has)
    }

    /// Whoever holds this API token.
    ///
    /// # Errors
    /// `auth.token` where it is unknown, over, or its user is gone.
    pub async fn by_token(&self, secret: &str) -> Answer<Principal> {
        let refused = || {
            unauthorized(
                "auth.token",
                "this token is not known or has ended",
                "Make a new one: `twinloom token create NAME`.",
            )
        };
        let mut row = self
            .meta
            .token(&token::digest(secret))
            .await?
            .ok_or_else(refused)?;
        let now = Timestamp::now();
        if row.expires_at <= now {
            return Err(refused());
        }
        let scopes: Vec<Permission> = row.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
        let means = Means::Token(row.id.clone());
        let principal = if row.user == Principal::local().name && !self.login_required().await? {
            Principal::of(&row.user, &[Role::Admin], Some(&scopes), means)
        } else {
            let user = self.meta.user(&row.user).await.map_err(|_| refused())?;
            if user.disabled {
                return Err(refused());
            }
            Principal::of(&user.name, &roles_of(&user), Some(&scopes), means)
        };
        if row
            .last_used_at
            .is_none_or(|last| now.duration_since(last) > NOTE_EVERY)
        {
            row.last_used_at = Some(now);
            self.meta.put_token(&row).await?;
        }
        Ok(principal)
    }

    /// Whoever holds this session cookie; none where it has ended.
    ///
    /// # Errors
    /// What the database says.
    pub async fn by_session(&self, value: &str) -> Answer<Option<Principal>> {
        let hash = token::digest(value);
        let Some(session) = self.meta.session(&hash).await? else {
            return Ok(None);
        };
        if session.expires_at <= Timestamp::now() {
            return Ok(None);
        }
        let means = Means::Session {
            hash,
            csrf: session.csrf,
        };
        match self.meta.user(&session.user).await {
            Ok(user) if !user.disabled => Ok(Some(Principal::of(&user.name, &roles_of(&user), None, means))),
            Ok(_) => Ok(None),
            Err(error) if error.code() == "meta.not_found" => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts a session.
    ///
    /// # Errors
    /// `auth.login`, `auth.throttled`.
    pub async fn log_in(&self, name: &str, password: String, from: IpAddr) -> Answer<Session> {
        self.throttle.check(name, from)?;
        let user = match self.meta.user(name).await {
            Ok(user) => Some(user),
            Err(error) if error.code() == "meta.not_found" => None,
            Err(error) => return Err(error.into()),
        };
        let stored = user
            .as_ref()
            .filter(|user| !user.disabled)
            .map(|user| user.password.clone());
        let right = tokio::task::spawn_blocking(move || password::verify(&password, stored.as_deref()));
        let right = right.await.map_err(Problem::internal)?;
        let Some(mut user) = user.filter(|_| right) else {
            self.throttle.failed(name, from);
            return Err(unauthorized(
                "auth.login",
                "name or password is wrong",
                "An admin can set a new password: `twinloom user password NAME`.",
            ));
        };
        self.throttle.succeeded(name, from);
        let now = Timestamp::now();
        let (value, csrf) = (token::random(), token::random());
        let session = SessionRow {
            hash: token::digest(&value),
            user: user.name.clone(),
            csrf: csrf.clone(),
            created_at: now,
            expires_at: now.checked_add(SESSION).unwrap_or(Timestamp::MAX),
        };
        self.meta.insert_session(&session, now).await?;
        user.last_login_at = Some(now);
        self.meta.put_user(&user).await?;
        Ok(Session {
            value,
            roles: roles_of(&user),
            user: user.name,
            csrf,
        })
    }

    /// Makes a user; the first one must be an admin, since the login is on from then on.
    ///
    /// # Errors
    /// `user.name`, `user.exists`, `user.first`, `auth.weak_password`.
    pub async fn create_user(&self, name: &str, roles: &[Role], password: String) -> Answer<UserRow> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
        if name.is_empty() || name.len() > 64 || !name.chars().all(fine) || name == Principal::local().name {
            return Err(Problem::invalid(
                "user.name",
                "this cannot be the name of a user",
                "Use 1 to 64 of a-z, A-Z, 0-9, `.`, `_`, `-` and `@`; not `local`.",
            ));
        }
        if !self.meta.has_users().await? && !roles.contains(&Role::Admin) {
            return Err(Problem::invalid(
                "user.first",
                "the first user turns the login on, and must be an admin",
                "Give the role `admin`.",
            ));
        }
        let hashed = tokio::task::spawn_blocking(move || password::hash(&password));
        let row = UserRow {
            name: name.to_owned(),
            password: hashed.await.map_err(Problem::internal)??,
            roles: roles.iter().map(|role| role.as_str().to_owned()).collect(),
            disabled: false,
            created_at: Timestamp::now(),
            last_login_at: None,
        };
        self.meta
            .insert_user(&row)
            .await
            .map_err(|error| match error.code() {
                "meta.exists" => Problem::conflict(
                    "user.exists",
                    format!("there is a user `{name}` already"),
                    "Change that one, or choose another name.",
                ),
                _ => error.into(),
            })?;
        self.forget();
        Ok(row)
    }

    /// Refuses a change that leaves users but no admin among them.
    ///
    /// # Errors
    /// `user.last_admin`.
    pub async fn check_admin_stays(&self, name: &str, after: Option<&UserRow>) -> Answer<()> {
        let is_admin = |row: &UserRow| !row.disabled && roles_of(row).contains(&Role::Admin);
        let users = self.meta.users().await?;
        let others: Vec<&UserRow> = users.iter().filter(|row| row.name != name).collect();
        let left = others.iter().any(|row| is_admin(row)) || after.is_some_and(is_admin);
        let nobody_left = others.is_empty() && after.is_none();
        self.forget();
        if left || nobody_left {
            return Ok(());
        }
        Err(Problem::conflict(
            "user.last_admin",
            format!("`{name}` is the last admin"),
            "Make another user an admin first.",
        ))
    }

    fn forget(&self) {
        *self
            .has_users
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}

/// 401.
pub fn unauthorized(code: &str, detail: &str, hint: &str) -> Problem {
    Problem::new(axum::http::StatusCode::UNAUTHORIZED, code, detail, hint)
}
