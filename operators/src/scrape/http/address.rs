//! Which addresses may be asked: none of this machine or a private network, unless the source says so.

use std::net::{IpAddr, SocketAddr};

use twinloom_sdk::{OperatorError, net::is_public};
use url::{Host, Url};

/// The socket addresses of a host, each checked.
///
/// # Errors
/// `scrape.http_private`; `scrape.http_host` where the name does not resolve.
pub async fn resolve(url: &Url, allow_private: bool) -> Result<Vec<SocketAddr>, OperatorError> {
    let port = url.port_or_known_default().unwrap_or(443);
    let host = url.host_str().unwrap_or_default();
    let addresses: Vec<SocketAddr> = match url.host() {
        Some(Host::Ipv4(ip)) => vec![SocketAddr::new(IpAddr::V4(ip), port)],
        Some(Host::Ipv6(ip)) => vec![SocketAddr::new(IpAddr::V6(ip), port)],
        Some(Host::Domain(name)) => tokio::net::lookup_host((name, port))
            .await
            .map_err(|error| unknown(host, &error))?
            .collect(),
        None => Vec::new(),
    };
    if addresses.is_empty() {
        return Err(unknown(host, &"it has no address"));
    }
    match addresses
        .iter()
        .find(|address| !allow_private && !is_public(address.ip()))
    {
        None => Ok(addresses),
        Some(private) => Err(OperatorError::config(
            "scrape.http_private",
            format!(
                "`{host}` is {}, an address of this machine or a private network",
                private.ip()
            ),
            "Set `allow_private: true` in the source where that is meant.",
        )),
    }
}

fn unknown(host: &str, why: &dyn std::fmt::Display) -> OperatorError {
    OperatorError::retry(
        "scrape.http_host",
        format!("the host `{host}` was not found: {why}"),
        "It is tried again by the step's `retries`; check the name and the network if it stays.",
    )
}
