//! The scheduler as a server: REST API under `/api/v1`, live events, accounts, metrics, and the web UI.

mod api;
mod auth;
mod error;
mod http;
mod live;
mod metrics;
mod notify;
pub mod openapi;
mod otlp;
pub mod queue;
mod secrets;
mod serve;
mod state;
mod ui;

pub use api::{
    access::{TokenItem, UserItem},
    secrets::SecretItem,
};
pub use auth::{
    accounts::{Accounts, NewToken},
    principal::{Permission, Role},
    token::random_password,
};
pub use error::ServerError;
pub use http::problem::{Problem, status_of};
pub use secrets::Vault;
pub use serve::{Server, ServerConfig};
