//! How many requests a client may make: a bucket of tokens for each address, of IPv6 for each network of 64 bits.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use crate::{auth::gate::Client, state::Shared};

/// Addresses that are remembered.
const MOST_CLIENTS: usize = 10_000;

/// Counts requests by address.
pub struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Rates {
    /// So many requests a second, and ten times as many at once.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second: f64::from(per_second),
            burst: f64::from(per_second) * 10.0,
            buckets: Mutex::default(),
        }
    }

    /// Whether one more is allowed at this time.
    pub fn take(&self, client: IpAddr, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_CLIENTS {
            let refill = self.burst / self.per_second;
            buckets.retain(|_, (_, last)| now.duration_since(*last).as_secs_f64() < refill);
        }
        let (tokens, last) = buckets.entry(client).or_insert((self.burst, now));
        *tokens = (*tokens + now.duration_since(*last).as_secs_f64() * self.per_second).min(self.burst);
        *last = now;
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, which one customer has as a rule.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Answers 429 to clients that ask too often.
pub async fn limit(State(app): State<Shared>, client: Client, request: Request, next: Next) -> Response {
    if app.rates.take(client.address, Instant::now()) {
        return next.run(request).await;
    }
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "request.rate",
        "too many requests",
        "Wait a second; follow GET /api/v1/stream in place of asking again and again.",
    )
    .into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_the_rate() {
        let (rates, client, start) = (Rates::new(10), IpAddr::from([127, 0, 0, 1]), Instant::now());
        let taken = (0..200).filter(|_| rates.take(client, start)).count();
        assert_eq!(taken, 100);
        let later = start + Duration::from_secs(1);
        assert_eq!((0..200).filter(|_| rates.take(client, later)).count(), 10);
        assert!(rates.take(IpAddr::from([127, 0, 0, 2]), later));
    }
}
