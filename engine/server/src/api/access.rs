//! Users and API tokens.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use twinloom_meta::{TokenRow, UserRow};
use utoipa::ToSchema;

use super::words::Done;
use crate::{
    auth::{
        accounts::{NewToken, no_token},
        password,
        principal::{Permission, Principal, Role},
    },
    http::{
        extract::{Json, Path},
        page::Page,
        problem::Answer,
    },
    state::Shared,
};

/// A user.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserItem {
    /// The name.
    pub name: String,
    /// What the user is.
    pub roles: Vec<Role>,
    /// Whether the user cannot log in for now.
    pub disabled: bool,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user last logged in.
    pub last_login_at: Option<Timestamp>,
}

impl From<&UserRow> for UserItem {
    fn from(row: &UserRow) -> Self {
        Self {
            name: row.name.clone(),
            roles: roles_of(row),
            disabled: row.disabled,
            created_at: row.created_at,
            last_login_at: row.last_login_at,
        }
    }
}

/// The roles of a stored user; words of a newer version are left out.
pub fn roles_of(row: &UserRow) -> Vec<Role> {
    row.roles.iter().filter_map(|role| role.parse().ok()).collect()
}

/// Users by name.
#[utoipa::path(get, path = "/users", tag = "access", operation_id = "list_users",
    responses((status = 200, body = Page<UserItem>)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn users(State(app): State<Shared>) -> Answer<Json<Page<UserItem>>> {
    let rows = app.meta.users().await?;
    Ok(Json(Page::whole(rows.iter().map(UserItem::from).collect())))
}

/// A new user.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct CreateUser {
    /// 1 to 64 of `a-z A-Z 0-9 . _ - @`.
    pub name: String,
    /// What the user is.
    pub roles: Vec<Role>,
    /// Ten characters or more.
    pub password: String,
}

/// Makes a user. The first one turns the login on, and must be an admin.
#[utoipa::path(post, path = "/users", tag = "access", operation_id = "create_user",
    request_body = CreateUser, responses((status = 201, body = UserItem)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn create_user(State(app): State<Shared>, Json(body): Json<CreateUser>) -> Answer<Response> {
    let row = app
        .accounts
        .create_user(&body.name, &body.roles, body.password)
        .await?;
    Ok((StatusCode::CREATED, Json(UserItem::from(&row))).into_response())
}

/// A change of a user; what is left out stays.
#[derive(Default, Deserialize, Serialize, ToSchema)]
pub struct ChangeUser {
    /// What the user is.
    pub roles: Option<Vec<Role>>,
    /// A new password; sessions end.
    pub password: Option<String>,
    /// Whether the user cannot log in; sessions end.
    pub disabled: Option<bool>,
}

/// Changes a user.
#[utoipa::path(patch, path = "/users/{user}", tag = "access", operation_id = "change_user",
    params(("user" = String, Path)), request_body = ChangeUser, responses((status = 200, body = UserItem)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn change_user(
    State(app): State<Shared>,
    Path(user): Path<String>,
    Json(body): Json<ChangeUser>,
) -> Answer<Json<UserItem>> {
    let password = match body.password {
        Some(password) => Some(password::hash(password).await?),
        None => None,
    };
    let _changing = app.accounts.changing().await;
    let mut row = app.meta.user(&user).await?;
    if let Some(roles) = &body.roles {
        row.roles = roles.iter().map(|role| role.as_str().to_owned()).collect();
    }
    row.disabled = body.disabled.unwrap_or(row.disabled);
    row.password = password.unwrap_or(row.password);
    app.accounts.check_admin_stays(&user, Some(&row)).await?;
    app.meta.put_user(&row).await?;
    // Whoever changed may hold sessions of what the user was.
    app.meta.delete_sessions_of(&user).await?;
    Ok(Json(UserItem::from(&row)))
}

/// Removes a user with sessions and tokens.
#[utoipa::path(delete, path = "/users/{user}", tag = "access", operation_id = "delete_user",
    params(("user" = String, Path)), responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn delete_user(State(app): State<Shared>, Path(user): Path<String>) -> Answer<Json<Done>> {
    app.accounts.remove_user(&user).await?;
    Ok(Json(Done::DONE))
}

/// An API token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TokenItem {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// What it may do, of what its user may.
    pub scopes: Vec<Permission>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl From<&TokenRow> for TokenItem {
    fn from(row: &TokenRow) -> Self {
        Self {
            id: row.id.clone(),
            name: row.name.clone(),
            user: row.user.clone(),
            scopes: row.scopes.iter().filter_map(|scope| scope.parse().ok()).collect(),
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

/// One's own tokens; all of them for an admin.
#[utoipa::path(get, path = "/tokens", tag = "access", operation_id = "list_tokens",
    responses((status = 200, body = Page<TokenItem>)),
    extensions(("x-permission" = json!("signed_in"))))]
pub async fn tokens(State(app): State<Shared>, who: Principal) -> Answer<Json<Page<TokenItem>>> {
    let rows = app.meta.tokens().await?;
    let shown = rows
        .iter()
        .filter(|row| row.user == who.name || who.may(Permission::Admin));
    Ok(Json(Page::whole(shown.map(TokenItem::from).collect())))
}

/// A new token.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
pub struct CreateToken {
    /// What it is for.
    pub name: String,
    /// What it may do; at most what its user may. `["read"]` unless given.
    pub scopes: Option<Vec<Permission>>,
    /// Days until it ends; 90 unless given.
    #[schema(minimum = 1, maximum = 730)]
    pub days: Option<u32>,
}

/// A token with its secret, told this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TokenCreated {
    /// The token, as it is listed.
    #[serde(flatten)]
    pub item: TokenItem,
    /// To be sent as `Authorization: Bearer …`. It is not stored and cannot be shown again.
    pub token: String,
}

/// Makes a token for oneself.
#[utoipa::path(post, path = "/tokens", tag = "access", operation_id = "create_token",
    request_body = CreateToken, responses((status = 201, body = TokenCreated)),
    extensions(("x-permission" = json!("signed_in"))))]
pub async fn create_token(
    State(app): State<Shared>,
    who: Principal,
    Json(body): Json<CreateToken>,
) -> Answer<Response> {
    let new = NewToken {
        name: body.name,
        scopes: body.scopes.unwrap_or_else(|| vec![Permission::Read]),
        days: body.days,
    };
    let (item, token) = app.accounts.create_token(&who, new).await?;
    let created = TokenCreated { item, token };
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// Removes a token: one's own, or anyone's for an admin.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "access", operation_id = "delete_token",
    params(("id" = String, Path)), responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("signed_in"))))]
pub async fn delete_token(
    State(app): State<Shared>,
    who: Principal,
    Path(id): Path<String>,
) -> Answer<Json<Done>> {
    let rows = app.meta.tokens().await?;
    let own = rows
        .iter()
        .any(|row| row.id == id && (row.user == who.name || who.may(Permission::Admin)));
    if !own {
        return Err(no_token(&id));
    }
    app.meta.delete_token(&id).await?;
    Ok(Json(Done::DONE))
}
