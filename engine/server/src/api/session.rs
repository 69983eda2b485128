//! Logging in and out, and who one is.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::Done;
use crate::{
    auth::{
        gate::{self, Client},
        principal::{Means, Permission, Principal, Role},
    },
    http::{extract::Json, problem::Answer},
    state::Shared,
};

/// Who asks, and what this server is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The user's name; `local` where no login is set up.
    pub name: String,
    /// Whether someone is logged in (or nobody needs to be).
    pub signed_in: bool,
    /// The user's roles.
    pub roles: Vec<Role>,
    /// What this request may do.
    pub permissions: Vec<Permission>,
    /// Whether this server asks for a login.
    pub login_required: bool,
    /// To be sent as `X-CSRF-Token` on writes, with a session.
    pub csrf: Option<String>,
    /// The server's version.
    pub version: String,
}

/// Who asks. Without a login it says so, so that the UI knows to show the form.
#[utoipa::path(get, path = "/me", tag = "session", operation_id = "me",
    responses((status = 200, body = Me)),
    extensions(("x-permission" = json!("public"))))]
pub async fn me(State(app): State<Shared>, who: Principal) -> Answer<Json<Me>> {
    Ok(Json(Me {
        signed_in: who.means != Means::Nobody,
        csrf: match who.means {
            Means::Session { csrf, .. } => Some(csrf),
            _ => None,
        },
        name: who.name,
        roles: who.roles,
        permissions: who.permissions,
        login_required: app.accounts.login_required().await?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// A login.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct Login {
    /// The user.
    pub name: String,
    /// The password.
    pub password: String,
}

/// A session.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SessionStarted {
    /// The user.
    pub name: String,
    /// The user's roles.
    pub roles: Vec<Role>,
    /// To be sent as `X-CSRF-Token` on writes.
    pub csrf: String,
}

/// Logs in. The session is a cookie that scripts cannot read.
#[utoipa::path(post, path = "/session", tag = "session", operation_id = "log_in",
    request_body = Login,
    responses((status = 201, body = SessionStarted, headers(("set-cookie" = String)))),
    extensions(("x-permission" = json!("public"))))]
pub async fn log_in(State(app): State<Shared>, client: Client, Json(body): Json<Login>) -> Answer<Response> {
    let session = app
        .accounts
        .log_in(&body.name, body.password, client.address)
        .await?;
    let cookie = gate::cookie(&session.value, client.secure);
    let answer = SessionStarted {
        name: session.user,
        roles: session.roles,
        csrf: session.csrf,
    };
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Logs out: the session is gone on the server too.
#[utoipa::path(delete, path = "/session", tag = "session", operation_id = "log_out",
    responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("public"))))]
pub async fn log_out(State(app): State<Shared>, who: Principal, client: Client) -> Answer<Response> {
    if let Means::Session { hash, .. } = &who.means {
        app.meta.delete_session(hash).await?;
    }
    let mut response = Json(Done::DONE).into_response();
    if let Ok(cookie) = HeaderValue::from_str(&gate::no_cookie(client.secure)) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}
