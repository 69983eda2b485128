//! `twinloom user`, `token`, `secret`: in the home folder's database, or on a server.

use std::io::Read;

use serde::Serialize;
use serde_json::json;
use twinloom_server::{Accounts, NewToken, SecretItem, TokenItem, UserItem, Vault};

use crate::{
    account,
    app::App,
    args::{SecretCommand, TokenCommand, UserCommand},
    error::CliError,
    output,
    remote::{Remote, all, done},
};

/// `twinloom user`.
///
/// # Errors
/// What the accounts say.
pub async fn user(app: &App, command: UserCommand) -> Result<(), CliError> {
    let accounts = Accounts::new(app.meta().await?);
    let json = app.global.json;
    match command {
        UserCommand::List => users(json, &accounts.users().await?),
        UserCommand::Create {
            name,
            role,
            password_stdin,
        } => {
            let (password, drawn) = password(password_stdin)?;
            accounts.create_user(&name, &role, password.clone()).await?;
            told(json, &name, drawn.then_some(password.as_str()))
        }
        UserCommand::Password { name, password_stdin } => {
            let (password, drawn) = password(password_stdin)?;
            accounts.set_password(&name, password.clone()).await?;
            told(json, &name, drawn.then_some(password.as_str()))
        }
        UserCommand::Remove { name } => {
            accounts.remove_user(&name).await?;
            removed(json, "user", &name)
        }
    }
}

/// `twinloom user --server`.
///
/// # Errors
/// What the server says.
pub async fn remote_user(remote: &Remote, json: bool, command: UserCommand) -> Result<(), CliError> {
    match command {
        UserCommand::List => users(json, &all(remote, &["users"]).await?),
        UserCommand::Create {
            name,
            role,
            password_stdin,
        } => {
            let (password, drawn) = password(password_stdin)?;
            let body = json!({ "name": name, "roles": role, "password": password });
            remote.post(&["users"], &body).await?;
            told(json, &name, drawn.then_some(password.as_str()))
        }
        UserCommand::Password { name, password_stdin } => {
            let (password, drawn) = password(password_stdin)?;
            let body = json!({ "password": password });
            remote
                .send_json(reqwest::Method::PATCH, &["users", &name], &body)
                .await?;
            told(json, &name, drawn.then_some(password.as_str()))
        }
        UserCommand::Remove { name } => {
            remote.delete(&["users", &name]).await?;
            removed(json, "user", &name)
        }
    }
}

/// `twinloom token`.
///
/// # Errors
/// What the accounts say.
pub async fn token(app: &App, command: TokenCommand) -> Result<(), CliError> {
    let accounts = Accounts::new(app.meta().await?);
    let json = app.global.json;
    match command {
        TokenCommand::List => tokens(json, &accounts.tokens().await?),
        TokenCommand::Create {
            name,
            user,
            scope,
            days,
        } => {
            let new = NewToken {
                name,
                scopes: scope,
                days: Some(days),
            };
            let (token, secret) = accounts.create_token_for(user.as_deref(), new).await?;
            let document = json!({ "id": token.id, "name": token.name, "user": token.user, "token": secret });
            output::say("the token is told this once:");
            done(json, &document, &secret)
        }
        TokenCommand::Remove { id } => {
            accounts.remove_token(&id).await?;
            removed(json, "token", &id)
        }
    }
}

/// `twinloom token --server`.
///
/// # Errors
/// What the server says.
pub async fn remote_token(remote: &Remote, json: bool, command: TokenCommand) -> Result<(), CliError> {
    match command {
        TokenCommand::List => tokens(json, &all(remote, &["tokens"]).await?),
        TokenCommand::Create {
            name, scope, days, ..
        } => {
            let body = json!({ "name": name, "scopes": scope, "days": days });
            let made = remote.post(&["tokens"], &body).await?;
            output::say("the token is told this once:");
            done(json, &made, made["token"].as_str().unwrap_or_default())
        }
        TokenCommand::Remove { id } => {
            remote.delete(&["tokens", &id]).await?;
            removed(json, "token", &id)
        }
    }
}

/// `twinloom secret`.
///
/// # Errors
/// What the vault says.
pub async fn secret(app: &App, command: SecretCommand) -> Result<(), CliError> {
    let vault = Vault::new(app.meta().await?, &app.home()?);
    let json = app.global.json;
    match command {
        SecretCommand::List => secrets(json, &vault.list().await?),
        SecretCommand::Set { name } => {
            vault.put(&name, &from_stdin()?, &account::name()).await?;
            set(json, &name)
        }
        SecretCommand::Remove { name } => {
            vault.delete(&name).await?;
            removed(json, "secret", &name)
        }
    }
}

/// `twinloom secret --server`.
///
/// # Errors
/// What the server says.
pub async fn remote_secret(remote: &Remote, json: bool, command: SecretCommand) -> Result<(), CliError> {
    match command {
        SecretCommand::List => secrets(json, &all(remote, &["secrets"]).await?),
        SecretCommand::Set { name } => {
            let body = json!({ "value": from_stdin()? });
            remote
                .send_json(reqwest::Method::PUT, &["secrets", &name], &body)
                .await?;
            set(json, &name)
        }
        SecretCommand::Remove { name } => {
            remote.delete(&["secrets", &name]).await?;
            removed(json, "secret", &name)
        }
    }
}

fn users(json: bool, users: &[UserItem]) -> Result<(), CliError> {
    let row = |user: &UserItem| {
        let roles: Vec<&str> = user.roles.iter().map(|role| role.as_str()).collect();
        let state = if user.disabled { "disabled" } else { "" };
        let seen = user.last_login_at.map(output::time).unwrap_or_default();
        vec![user.name.clone(), roles.join(" "), state.to_owned(), seen]
    };
    listed(json, users, &["user", "roles", "", "last login"], row)
}

fn tokens(json: bool, tokens: &[TokenItem]) -> Result<(), CliError> {
    let row = |token: &TokenItem| {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        vec![
            token.id.clone(),
            token.name.clone(),
            token.user.clone(),
            scopes.join(" "),
            output::time(token.expires_at),
        ]
    };
    listed(json, tokens, &["token", "name", "user", "scopes", "ends"], row)
}

fn secrets(json: bool, secrets: &[SecretItem]) -> Result<(), CliError> {
    let row = |secret: &SecretItem| {
        let at = secret.updated_at.map(output::time).unwrap_or_default();
        vec![
            secret.name.clone(),
            secret.source.clone(),
            at,
            secret.by.clone().unwrap_or_default(),
        ]
    };
    listed(json, secrets, &["secret", "source", "set", "by"], row)
}

/// A list as a document, or as a table: the same from the home folder and from a server.
fn listed<T: Serialize>(
    json: bool,
    items: &[T],
    heads: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), CliError> {
    if json {
        return output::json(&items);
    }
    output::table(heads, &items.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

/// A password from stdin, or one that is drawn; whether it was drawn.
fn password(from: bool) -> Result<(String, bool), CliError> {
    if from {
        return Ok((from_stdin()?, false));
    }
    Ok((twinloom_server::random_password(), true))
}

/// Values come by stdin: arguments are seen by every process of the machine.
fn from_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin().take(1 << 20).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Something is gone.
fn removed(json: bool, what: &str, name: &str) -> Result<(), CliError> {
    done(
        json,
        &json!({ what: name, "removed": true }),
        &format!("{name} is removed"),
    )
}

/// A secret has a value.
fn set(json: bool, name: &str) -> Result<(), CliError> {
    done(
        json,
        &json!({ "secret": name, "set": true }),
        &format!("{name} is set"),
    )
}

/// A password is set; one that was drawn is told.
fn told(json: bool, name: &str, drawn: Option<&str>) -> Result<(), CliError> {
    match drawn {
        Some(password) => {
            output::say(&format!("{name} may log in with this password, told this once:"));
            done(json, &json!({ "user": name, "password": password }), password)
        }
        None => done(json, &json!({ "user": name }), &format!("{name} may log in")),
    }
}
