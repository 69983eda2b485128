//! Which addresses may be asked: none of this machine or a private network, unless the source says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use twinloom_sdk::OperatorError;
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

/// Whether an address is one of the public internet.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let segments = ip.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Addresses that carry one of version 4 are as public as that: mapped, compatible, translated, 6to4.
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => v4(high, low),
        [0, 0, 0, 0, 0, 0, _, _] => false,
        [0x2002, high, low, ..] => v4(high, low),
        [0x2001, 0 | 0xDB8, ..] | [0x64, 0xFF9B, 1, ..] | [0x100, 0, 0, 0, ..] => false,
        [first, ..] => {
            let unique_local = first & 0xFE00 == 0xFC00;
            let link_or_site_local = first & 0xFF80 == 0xFE80;
            !(unique_local || link_or_site_local || ip.is_multicast())
        }
    }
}

fn unknown(host: &str, why: &dyn std::fmt::Display) -> OperatorError {
    OperatorError::retry(
        "scrape.http_host",
        format!("the host `{host}` was not found: {why}"),
        "It is tried again by the step's `retries`; check the name and the network if it stays.",
    )
}
