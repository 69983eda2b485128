//! GET requests that cannot be led astray: addresses are checked at every redirect and pinned, sizes and times bounded.

mod access;
mod address;
mod robots;

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use futures::StreamExt;
use reqwest::{Client, Response, StatusCode, header, redirect::Policy};
use twinloom_sdk::OperatorError;
use url::{Host, Url};

pub use access::{Access, secret};
pub use address::resolve;
use robots::Rules;

use super::Limits;

/// How requests name themselves.
pub const USER_AGENT: &str = concat!("twinloom/", env!("CARGO_PKG_VERSION"));

/// Redirects that are followed.
const MAX_REDIRECTS: usize = 5;
/// Time to connect.
const CONNECT: Duration = Duration::from_secs(15);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its body, decompressed.
    pub bytes: Vec<u8>,
    /// Its media type without parameters, lower case; empty where the server names none.
    pub media: String,
    /// The charset that the server names.
    pub charset: Option<String>,
}

/// Makes requests.
pub struct Http {
    limit: u64,
    timeout: Duration,
    robots: HashMap<String, Rules>,
}

impl Http {
    /// With these bounds.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limit: limits.response_bytes,
            timeout: Duration::from_secs(limits.request_seconds),
            robots: HashMap::new(),
        }
    }

    /// The answer of an address, redirects followed.
    ///
    /// # Errors
    /// `scrape.http_*`: `Retry` where it may pass (time, connection, 429, 5xx), `Config` otherwise.
    pub async fn get(&self, address: &str, access: &Access) -> Result<Answer, OperatorError> {
        let (response, url) = self.follow(address, access).await?;
        let status = response.status();
        if status.is_success() {
            return self.body(response, &url).await;
        }
        Err(status_error(status, &url))
    }

    /// Fails where the site's `robots.txt` forbids an address.
    ///
    /// # Errors
    /// `scrape.robots`, or those of [`Self::get`].
    pub async fn ask_robots(&mut self, address: &str, allow_private: bool) -> Result<(), OperatorError> {
        let url = parse(address)?;
        let place = url
            .join("/robots.txt")
            .map_err(|error| bad_address(address, &error))?;
        if !self.robots.contains_key(place.as_str()) {
            let access = Access::open(allow_private);
            let (response, at) = self.follow(place.as_str(), &access).await?;
            let rules = match response.status() {
                status if status.is_success() => Rules::parse(&self.body(response, &at).await?.bytes),
                // A site without rules allows all; one that cannot answer now has to be asked again.
                status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Rules::all(),
                status => return Err(status_error(status, &at)),
            };
            self.robots.insert(place.to_string(), rules);
        }
        if self
            .robots
            .get(place.as_str())
            .is_none_or(|rules| rules.allow(url.as_str()))
        {
            return Ok(());
        }
        Err(OperatorError::config(
            "scrape.robots",
            format!("the site's robots.txt does not allow `{}`", shown(&url)),
            "Leave the page out; `robots: false` is for pages of your own.",
        ))
    }

    async fn follow(&self, address: &str, access: &Access) -> Result<(Response, Url), OperatorError> {
        let mut url = parse(address)?;
        let home = url.origin();
        for _ in 0..=MAX_REDIRECTS {
            let response = self.once(&url, access, url.origin() == home).await?;
            let target = response
                .headers()
                .get(header::LOCATION)
                .filter(|_| response.status().is_redirection());
            let Some(target) = target else {
                return Ok((response, url));
            };
            let target = target.to_str().unwrap_or_default();
            let next = url.join(target).map_err(|error| bad_address(target, &error))?;
            url = parse(next.as_str())?;
        }
        Err(OperatorError::config(
            "scrape.http_redirects",
            format!("`{}` redirects more than {MAX_REDIRECTS} times", shown(&url)),
            "Give the address that it ends at.",
        ))
    }

    /// One request; the source's headers are for the host that it names, and for no other.
    async fn once(&self, url: &Url, access: &Access, at_home: bool) -> Result<Response, OperatorError> {
        let addresses = resolve(url, access.allow_private).await?;
        let client = self.client(url, &addresses)?;
        let mut request = client.get(url.clone()).header(
            header::ACCEPT,
            "text/html,application/xhtml+xml,application/xml;q=0.9,text/*;q=0.8,*/*;q=0.1",
        );
        if at_home {
            request = request.headers(access.headers.clone());
        }
        request.send().await.map_err(|error| transport_error(url, &error))
    }

    /// A client that connects to the checked addresses and to no other, whatever a second look-up would say.
    fn client(&self, url: &Url, addresses: &[SocketAddr]) -> Result<Client, OperatorError> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .timeout(self.timeout);
        if let Some(Host::Domain(host)) = url.host() {
            builder = builder.resolve_to_addrs(host, addresses);
        }
        builder
            .build()
            .map_err(|error| OperatorError::bug("scrape.http_client", error))
    }

    async fn body(&self, response: Response, url: &Url) -> Result<Answer, OperatorError> {
        let kind = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let (media, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
        let charset = parameters
            .split(';')
            .find_map(|part| part.trim().strip_prefix("charset="))
            .map(|name| name.trim_matches('"').to_owned());
        let media = media.trim().to_owned();
        let mut bytes = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| transport_error(url, &error))?;
            if (bytes.len() + part.len()) as u64 > self.limit {
                return Err(OperatorError::data(
                    "scrape.http_too_large",
                    format!(
                        "the answer of `{}` has more than {} bytes",
                        shown(url),
                        self.limit
                    ),
                    "Leave it out, or raise `limits.response_bytes`.",
                ));
            }
            bytes.extend_from_slice(&part);
        }
        Ok(Answer {
            bytes,
            media,
            charset,
        })
    }
}

/// Whether a source is an address and not a path.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// The host of an address.
#[must_use]
pub fn host_of(address: &str) -> Option<String> {
    if !is_address(address) {
        return None;
    }
    Some(Url::parse(address).ok()?.host_str()?.to_owned())
}

/// The address without user name and password, as errors, the log and rows may hold it.
#[must_use]
pub fn without_credentials(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => shown(&url),
        _ => address.to_owned(),
    }
}

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for addresses that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.to_string()
}

fn parse(address: &str) -> Result<Url, OperatorError> {
    let url = Url::parse(address).map_err(|error| bad_address(address, &error))?;
    if matches!(url.scheme(), "http" | "https") && url.host().is_some() {
        return Ok(url);
    }
    Err(bad_address(address, &"only http and https are read"))
}

fn bad_address(address: &str, why: &dyn std::fmt::Display) -> OperatorError {
    OperatorError::config(
        "scrape.http_address",
        format!("`{}` is no address to read: {why}", without_credentials(address)),
        "Give a whole address, such as `https://example.org/page`.",
    )
}

fn status_error(status: StatusCode, url: &Url) -> OperatorError {
    let message = format!("`{}` answered {status}", shown(url));
    if status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT
        || status.is_server_error()
    {
        return OperatorError::retry(
            "scrape.http_busy",
            message,
            "It is tried again by the step's `retries`.",
        );
    }
    OperatorError::config(
        "scrape.http_status",
        message,
        "Check the address, and whether it needs a sign-in (`headers`).",
    )
}

fn transport_error(url: &Url, error: &reqwest::Error) -> OperatorError {
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    let what = if error.is_timeout() {
        "took too long".to_owned()
    } else {
        format!("could not be read{cause}")
    };
    OperatorError::retry(
        "scrape.http_transport",
        format!("`{}` {what}", shown(url)),
        "It is tried again by the step's `retries`; check the address and the network if it stays.",
    )
}
