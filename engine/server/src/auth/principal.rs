//! Roles, permissions, and who a request comes from.

use std::{fmt, str::FromStr};

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::problem::Problem;

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Look at everything but accounts.
    Read,
    /// Run, cancel, retry, pause, edit DAGs, move aliases.
    Operate,
    /// Answer approvals.
    Approve,
    /// Accounts, secrets, garbage collection.
    Admin,
}

impl Permission {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Read, Self::Operate, Self::Approve, Self::Admin];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Approve => "approve",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no role or permission.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is none of {1}")]
pub struct UnknownWord(String, &'static str);

impl FromStr for Permission {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| UnknownWord(text.to_owned(), "read, operate, approve, admin"))
    }
}

/// What a user is. A user may have several roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May look.
    Viewer,
    /// May look and run.
    Operator,
    /// May look and answer approvals.
    Approver,
    /// May do everything.
    Admin,
}

impl Role {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// What it may do.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Viewer => &[Permission::Read],
            Self::Operator => &[Permission::Read, Permission::Operate],
            Self::Approver => &[Permission::Read, Permission::Approve],
            Self::Admin => &Permission::ALL,
        }
    }
}

impl FromStr for Role {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let found = Self::ALL.into_iter().find(|one| one.as_str() == text);
        found.ok_or_else(|| UnknownWord(text.to_owned(), "viewer, operator, approver, admin"))
    }
}

/// How a request showed who it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// No login is set up, and the server listens on loopback alone.
    Loopback,
    /// A session cookie: its stored hash and the token that writes must carry.
    Session {
        /// blake3 of the cookie's value.
        hash: String,
        /// What `X-CSRF-Token` must hold on writes.
        csrf: String,
    },
    /// An API token, by its id.
    Token(String),
    /// Nothing: a route for everyone.
    Nobody,
}

/// Who a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user's name; `local` without a login.
    pub name: String,
    /// The user's roles.
    pub roles: Vec<Role>,
    /// What this request may do; a token may do less than its user.
    pub permissions: Vec<Permission>,
    /// How it is known.
    pub means: Means,
}

impl Principal {
    /// The person at the machine, while no login is set up.
    pub fn local() -> Self {
        Self {
            name: "local".to_owned(),
            roles: vec![Role::Admin],
            permissions: Permission::ALL.to_vec(),
            means: Means::Loopback,
        }
    }

    /// Nobody in particular.
    pub fn nobody() -> Self {
        Self {
            name: "nobody".to_owned(),
            roles: Vec::new(),
            permissions: Vec::new(),
            means: Means::Nobody,
        }
    }

    /// A user with these roles, less what `scopes` leaves out.
    pub fn of(name: &str, roles: &[Role], scopes: Option<&[Permission]>, means: Means) -> Self {
        let may = |one: &Permission| {
            roles.iter().any(|role| role.permissions().contains(one))
                && scopes.is_none_or(|scopes| scopes.contains(one))
        };
        Self {
            name: name.to_owned(),
            roles: roles.to_vec(),
            permissions: Permission::ALL.into_iter().filter(may).collect(),
            means,
        }
    }

    /// Whether it may.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Problem::internal("a route is outside the gate"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_never_more_than_its_user() {
        let scopes = [Permission::Read, Permission::Admin];
        let token = Principal::of("ada", &[Role::Operator], Some(&scopes), Means::Token("1".into()));
        assert_eq!(token.permissions, [Permission::Read]);
        assert!(!token.may(Permission::Admin));
    }

    #[test]
    fn roles_add_up() {
        let both = Principal::of("ada", &[Role::Operator, Role::Approver], None, Means::Nobody);
        assert!(both.may(Permission::Operate) && both.may(Permission::Approve));
        assert!(!both.may(Permission::Admin));
    }
}
