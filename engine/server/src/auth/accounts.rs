//! Users, sessions and tokens against the database.

use std::{net::IpAddr, sync::Mutex, time::Instant};

use jiff::{SignedDuration, Timestamp};
use twinloom_meta::{Meta, SessionRow, TokenRow, UserRow};

use super::{
    password,
    principal::{Means, Permission, Principal, Role},
    throttle::Throttle,
    token,
};
use crate::{
    api::access::{TokenItem, UserItem, roles_of},
    http::problem::{Answer, Problem},
};

/// How long a session lasts.
const SESSION: SignedDuration = SignedDuration::from_hours(12);
/// A token's use is noted this often.
const NOTE_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A token that states no expiry lasts so many days.
const USUAL_DAYS: u32 = 90;
/// The longest life of a token.
const MOST_DAYS: u32 = 730;

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Permission>,
    /// Days until it ends; 90 unless given.
    pub days: Option<u32>,
}

/// Who may come in.
pub struct Accounts {
    meta: Meta,
    throttle: Throttle,
    /// Whether others can reach the server: then the login is on even where no user is left.
    reachable: bool,
    /// Once there is a user the login stays on, until none is left.
    has_users: Mutex<Option<(bool, Instant)>>,
    changing: tokio::sync::Mutex<()>,
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
    /// Over a database, for the person at the machine.
    pub fn new(meta: Meta) -> Self {
        Self {
            meta,
            throttle: Throttle::default(),
            reachable: false,
            has_users: Mutex::new(None),
            changing: tokio::sync::Mutex::new(()),
        }
    }

    /// Of a server; `reachable` is whether others can reach it.
    pub fn of_server(meta: Meta, reachable: bool) -> Self {
        Self {
            reachable,
            ..Self::new(meta)
        }
    }

    /// Whether there is a login: where there are users, and always where others can reach the server. Known for a
    /// second, since every request asks; a change in this process is seen at once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn login_required(&self) -> Answer<bool> {
        if self.reachable {
            return Ok(true);
        }
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
        let found = self.meta.token(&token::digest(secret)).await?;
        let mut row = found.ok_or_else(refused)?;
        let principal = self.of_token(&row).await?.ok_or_else(refused)?;
        let now = Timestamp::now();
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
        self.of_session(token::digest(value)).await
    }

    /// Who somebody is by now; none where the session or token has ended or the user is gone.
    ///
    /// # Errors
    /// What the database says.
    pub async fn again(&self, who: &Principal) -> Answer<Option<Principal>> {
        match &who.means {
            Means::Loopback if self.login_required().await? => Ok(None),
            Means::Loopback => Ok(Some(Principal::local())),
            Means::Session { hash, .. } => self.of_session(hash.clone()).await,
            Means::Token(id) => match self.meta.token_by_id(id).await? {
                Some(row) => self.of_token(&row).await,
                None => Ok(None),
            },
            Means::Nobody => Ok(None),
        }
    }

    async fn of_token(&self, row: &TokenRow) -> Answer<Option<Principal>> {
        if row.expires_at <= Timestamp::now() {
            return Ok(None);
        }
        let scopes: Vec<Permission> = row.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
        let means = Means::Token(row.id.clone());
        let roles = if row.user == Principal::local().name && !self.login_required().await? {
            Some(vec![Role::Admin])
        } else {
            self.roles(&row.user).await?
        };
        Ok(roles.map(|roles| Principal::of(&row.user, &roles, Some(&scopes), means)))
    }

    async fn of_session(&self, hash: String) -> Answer<Option<Principal>> {
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
        let roles = self.roles(&session.user).await?;
        Ok(roles.map(|roles| Principal::of(&session.user, &roles, None, means)))
    }

    /// The roles of a user who may come in; none for one who is not there or may not.
    async fn roles(&self, user: &str) -> Answer<Option<Vec<Role>>> {
        match self.meta.user(user).await {
            Ok(user) if !user.disabled => Ok(Some(roles_of(&user))),
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
        self.throttle.start(name, from)?;
        let user = match self.meta.user(name).await {
            Ok(user) => Some(user),
            Err(error) if error.code() == "meta.not_found" => None,
            Err(error) => return Err(error.into()),
        };
        let stored = user
            .as_ref()
            .filter(|user| !user.disabled)
            .map(|user| user.password.clone());
        let right = password::verify(password, stored).await?;
        let Some(mut user) = user.filter(|_| right) else {
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
        let row = UserRow {
            name: name.to_owned(),
            password: password::hash(password).await?,
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

    /// Held from looking at the users until one is changed: two admins who remove each other at once would both find
    /// the other one there.
    pub async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    /// Refuses a change that leaves users but no admin among them; on a server that others can reach, also one that
    /// leaves nobody at all.
    ///
    /// # Errors
    /// `user.last_admin`.
    pub async fn check_admin_stays(&self, name: &str, after: Option<&UserRow>) -> Answer<()> {
        let is_admin = |row: &UserRow| !row.disabled && roles_of(row).contains(&Role::Admin);
        let users = self.meta.users().await?;
        let others: Vec<&UserRow> = users.iter().filter(|row| row.name != name).collect();
        let left = others.iter().any(|row| is_admin(row)) || after.is_some_and(is_admin);
        let nobody_left = others.is_empty() && after.is_none() && !self.reachable;
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

    /// All users.
    ///
    /// # Errors
    /// What the database says.
    pub async fn users(&self) -> Answer<Vec<UserItem>> {
        Ok(self.meta.users().await?.iter().map(UserItem::from).collect())
    }

    /// Sets a new password; sessions end.
    ///
    /// # Errors
    /// `meta.not_found`, `auth.weak_password`.
    pub async fn set_password(&self, name: &str, password: String) -> Answer<()> {
        let mut row = self.meta.user(name).await?;
        row.password = password::hash(password).await?;
        self.meta.put_user(&row).await?;
        Ok(self.meta.delete_sessions_of(name).await?)
    }

    /// Removes a user with sessions and tokens.
    ///
    /// # Errors
    /// `meta.not_found`, `user.last_admin`.
    pub async fn remove_user(&self, name: &str) -> Answer<()> {
        let _changing = self.changing().await;
        self.meta.user(name).await?;
        self.check_admin_stays(name, None).await?;
        Ok(self.meta.delete_user(name).await?)
    }

    /// All tokens, without their secrets.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tokens(&self) -> Answer<Vec<TokenItem>> {
        Ok(self.meta.tokens().await?.iter().map(TokenItem::from).collect())
    }

    /// Makes a token for a user, or (without one) for the person at the machine; the token and its secret, which is
    /// told this once.
    ///
    /// # Errors
    /// `meta.not_found`, `token.expiry`, `token.name`, `token.scope`.
    pub async fn create_token_for(&self, user: Option<&str>, new: NewToken) -> Answer<(TokenItem, String)> {
        let who = match user {
            Some(name) => {
                let row = self.meta.user(name).await?;
                Principal::of(name, &roles_of(&row), None, Means::Nobody)
            }
            None => Principal::local(),
        };
        self.create_token(&who, new).await
    }

    /// Makes a token that may at most what `who` may.
    ///
    /// # Errors
    /// `token.expiry`, `token.name`, `token.scope`.
    pub async fn create_token(&self, who: &Principal, new: NewToken) -> Answer<(TokenItem, String)> {
        let days = new.days.unwrap_or(USUAL_DAYS);
        if !(1..=MOST_DAYS).contains(&days) {
            return Err(Problem::invalid(
                "token.expiry",
                format!("a token of {days} days"),
                format!("Give 1 to {MOST_DAYS} days."),
            ));
        }
        if new.name.trim().is_empty() || new.name.len() > 100 {
            return Err(Problem::invalid(
                "token.name",
                "a token needs a name",
                "Say what it is for, in up to 100 letters.",
            ));
        }
        if let Some(beyond) = new.scopes.iter().find(|scope| !who.may(**scope)) {
            return Err(Problem::forbidden(
                "token.scope",
                format!("`{}` may not `{beyond}`", who.name),
                "Leave that scope out.",
            ));
        }
        let now = Timestamp::now();
        let secret = format!("{}{}", token::PREFIX, token::random());
        let life = SignedDuration::from_hours(24 * i64::from(days));
        let row = TokenRow {
            id: ulid::Ulid::generate().to_string(),
            name: new.name,
            user: who.name.clone(),
            hash: token::digest(&secret),
            scopes: new.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            created_at: now,
            expires_at: now.checked_add(life).unwrap_or(Timestamp::MAX),
            last_used_at: None,
        };
        self.meta.put_token(&row).await?;
        Ok((TokenItem::from(&row), secret))
    }

    /// Removes a token.
    ///
    /// # Errors
    /// `token.not_found`.
    pub async fn remove_token(&self, id: &str) -> Answer<()> {
        if !self.meta.tokens().await?.iter().any(|row| row.id == id) {
            return Err(no_token(id));
        }
        Ok(self.meta.delete_token(id).await?)
    }

    fn forget(&self) {
        *self
            .has_users
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
    }
}

/// The error for a token that is not there, or not the caller's.
pub fn no_token(id: &str) -> Problem {
    Problem::not_found(
        "token.not_found",
        format!(
            "there is no such token: {}",
            id.chars().take(64).collect::<String>()
        ),
        "GET /api/v1/tokens (`twinloom token list`) lists them.",
    )
}

/// 401.
pub fn unauthorized(code: &str, detail: &str, hint: &str) -> Problem {
    Problem::new(axum::http::StatusCode::UNAUTHORIZED, code, detail, hint)
}
