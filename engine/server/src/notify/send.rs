//! Sending: by HTTP or SMTP, never to an address of a private network unless that is allowed.

use std::{net::SocketAddr, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use serde_json::json;
use sha2::Sha256;
use twinloom_sdk::net::is_public;
use url::Url;

use super::{Address, Destination, MailTls, message::Message};
use crate::secrets::Vault;

/// A destination that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(15);

/// Sends a message; the error is a sentence without secrets.
pub async fn send(destination: &Destination, message: &Message, secrets: &Vault) -> Result<(), String> {
    let private = destination.allow_private;
    match &destination.address {
        Address::Webhook { url, secret } => {
            let url = resolve(secrets, url).await?;
            let secret = match secret {
                Some(secret) => Some(resolve(secrets, secret).await?),
                None => None,
            };
            let body = serde_json::to_vec(message).map_err(|error| error.to_string())?;
            post(&url, body, secret.as_deref(), private).await
        }
        Address::Slack { url } => {
            let url = resolve(secrets, url).await?;
            let text = format!("*{}*\n{}\n{}", message.title, message.text, message.url);
            let body = json!({ "text": text }).to_string().into_bytes();
            post(&url, body, None, private).await
        }
        Address::Email { .. } => match destination.in_the_clear() {
            Some(reason) => Err(reason.to_owned()),
            None => mail(&destination.address, message, secrets, private).await,
        },
    }
}

async fn resolve(secrets: &Vault, text: &str) -> Result<String, String> {
    secrets.resolve(text).await.map_err(|problem| problem.detail)
}

async fn post(url: &str, body: Vec<u8>, secret: Option<&str>, private: bool) -> Result<(), String> {
    let url = Url::parse(url).map_err(|_| "the URL cannot be read".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the URL is neither http nor https".to_owned());
    }
    let host = url.host_str().ok_or("the URL has no host")?.to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = addresses(&host, port, private).await?;
    // The addresses that were looked at are the ones that are asked: no name can change its mind in between, and no
    // redirect can lead elsewhere.
    let client = reqwest::Client::builder()
        .resolve_to_addrs(&host, &addresses)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .no_proxy()
        .build()
        .map_err(|_| "no client could be made".to_owned())?;
    let mut request = client.post(url).header("content-type", "application/json");
    if let Some(secret) = secret {
        let timestamp = Timestamp::now().as_second().to_string();
        request = request
            .header("x-twinloom-signature", sign(secret, &timestamp, &body)?)
            .header("x-twinloom-timestamp", timestamp);
    }
    // The error's own words may hold the URL, which may be a secret.
    let answer = request
        .body(body)
        .send()
        .await
        .map_err(|error| error.without_url().to_string())?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(format!("it answered {}", answer.status()))
}

fn sign(secret: &str, timestamp: &str, body: &[u8]) -> Result<String, String> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| "the secret cannot sign".to_owned())?;
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let hex: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(format!("sha256={hex}"))
}

async fn addresses(host: &str, port: u16, private: bool) -> Result<Vec<SocketAddr>, String> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((name, port)).await;
    let found: Vec<SocketAddr> = found.map_err(|_| "its name is not known".to_owned())?.collect();
    if !private && found.iter().any(|address| !is_public(address.ip())) {
        return Err("its address is of a private network; `allow_private` would let it".to_owned());
    }
    Ok(found)
}

async fn mail(address: &Address, message: &Message, secrets: &Vault, private: bool) -> Result<(), String> {
    let Address::Email {
        host,
        port,
        tls,
        user,
        password,
        from,
        to,
    } = address
    else {
        return Err("it is no e-mail address".to_owned());
    };
    let usual = match tls {
        MailTls::Required => 587,
        MailTls::None => 25,
    };
    let port = port.unwrap_or(usual);
    let found = addresses(host, port, private).await?;
    // Where private addresses are refused, the one that was looked at is asked: the name cannot change its mind.
    let server = match found.first() {
        Some(address) if !private => address.ip().to_string(),
        _ => host.clone(),
    };
    let wrong = |what: &str| format!("`{what}` is no e-mail address");
    let mut mail = Mail::builder()
        .from(from.parse().map_err(|_| wrong(from))?)
        .subject(format!("[Twinloom] {}", message.title));
    for receiver in to {
        mail = mail.to(receiver.parse().map_err(|_| wrong(receiver))?);
    }
    let mail = mail
        .body(format!("{}\n\n{}\n", message.text, message.url))
        .map_err(|error| error.to_string())?;
    let named = || TlsParameters::new(host.clone()).map_err(|error| error.to_string());
    let tls = match (tls, port) {
        (MailTls::None, _) => Tls::None,
        (MailTls::Required, 465) => Tls::Wrapper(named()?),
        (MailTls::Required, _) => Tls::Required(named()?),
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server)
        .port(port)
        .tls(tls)
        .timeout(Some(PATIENCE));
    if let Some(user) = user {
        let password = resolve(secrets, password.as_deref().unwrap_or_default()).await?;
        transport = transport.credentials(Credentials::new(user.clone(), password));
    }
    transport
        .build()
        .send(mail)
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn a_private_address_is_not_asked() {
        let error = post("http://127.0.0.1:1/x", Vec::new(), None, false)
            .await
            .unwrap_err();
        assert!(error.contains("private network"), "{error}");
        let error = post("file:///etc/passwd", Vec::new(), None, true)
            .await
            .unwrap_err();
        assert!(error.contains("neither"), "{error}");
    }
}
