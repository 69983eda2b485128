//! Secrets by name: values go in and never come out.

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::Done;
use crate::{
    auth::principal::Principal,
    http::{
        extract::{Json, Path},
        page::Page,
        problem::{Answer, Problem},
    },
    state::Shared,
};

/// A secret, without its value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SecretItem {
    /// The name, as in `secret:NAME`.
    pub name: String,
    /// Where its value is: `environment`, `file`, `store`. The environment wins over the others.
    pub source: String,
    /// When it was last set; unknown for the environment.
    pub updated_at: Option<Timestamp>,
    /// Who set it.
    pub by: Option<String>,
}

/// Names of secrets.
#[utoipa::path(get, path = "/secrets", tag = "secrets", operation_id = "list_secrets",
    responses((status = 200, body = Page<SecretItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(State(app): State<Shared>) -> Answer<Json<Page<SecretItem>>> {
    Ok(Json(Page::whole(app.secrets.list().await?)))
}

/// One secret, without its value.
#[utoipa::path(get, path = "/secrets/{name}", tag = "secrets", operation_id = "get_secret",
    params(("name" = String, Path)), responses((status = 200, body = SecretItem)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(State(app): State<Shared>, Path(name): Path<String>) -> Answer<Json<SecretItem>> {
    let found = app
        .secrets
        .list()
        .await?
        .into_iter()
        .find(|item| item.name == name);
    found.map(Json).ok_or_else(|| {
        Problem::not_found(
            "secret.not_found",
            format!("there is no secret `{name}`"),
            format!("`twinloom secret set {name}` makes it."),
        )
    })
}

/// A secret's value.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PutSecret {
    /// The value, up to 64 KiB; kept encrypted under the key file of the home folder.
    pub value: String,
}

/// Sets a secret.
#[utoipa::path(put, path = "/secrets/{name}", tag = "secrets", operation_id = "put_secret",
    params(("name" = String, Path)), request_body = PutSecret, responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn put(
    State(app): State<Shared>,
    who: Principal,
    Path(name): Path<String>,
    Json(body): Json<PutSecret>,
) -> Answer<Json<Done>> {
    app.secrets.put(&name, &body.value, &who.name).await?;
    Ok(Json(Done::DONE))
}

/// Removes a stored secret.
#[utoipa::path(delete, path = "/secrets/{name}", tag = "secrets", operation_id = "delete_secret",
    params(("name" = String, Path)), responses((status = 200, body = Done)),
    extensions(("x-permission" = json!("admin"))))]
pub async fn delete(State(app): State<Shared>, Path(name): Path<String>) -> Answer<Json<Done>> {
    app.secrets.delete(&name).await?;
    Ok(Json(Done::DONE))
}
