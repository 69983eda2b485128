//! How many requests a client may make: a bucket of tokens for each address, of IPv6 for each network of 64 bits.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::problem::Problem;
use crate::{auth::gate::Client, state::Shared};

/// Clients that are remembered.
const MOST_CLIENTS: usize = 10_000;
/// How often it is looked for clients that need not be remembered any more.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Counts requests by client.
pub struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<Buckets>,
}

#[derive(Default)]
struct Buckets {
    known: HashMap<IpAddr, (f64, Instant)>,
    /// Shared by those for whom there is no room.
    others: Option<(f64, Instant)>,
    swept: Option<Instant>,
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
        let client = network(client);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let buckets = &mut *buckets;
        let due = |swept: Instant| now.duration_since(swept) >= SWEEP_EVERY;
        if buckets.known.len() >= MOST_CLIENTS && buckets.swept.is_none_or(due) {
            buckets.swept = Some(now);
            let refill = self.burst / self.per_second;
            buckets
                .known
                .retain(|_, (_, last)| now.duration_since(*last).as_secs_f64() < refill);
        }
        let full = (self.burst, now);
        let (tokens, last) = if buckets.known.len() < MOST_CLIENTS || buckets.known.contains_key(&client) {
            buckets.known.entry(client).or_insert(full)
        } else {
            buckets.others.get_or_insert(full)
        };
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

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let (rates, now) = (Rates::new(10), Instant::now());
        let address =
            |network: u16, host: u16| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, network, 1, 2, 3, host));
        let taken = (0..200).filter(|host| rates.take(address(1, *host), now)).count();
        assert_eq!(taken, 100);
        assert!(rates.take(address(2, 0), now));
        // An IPv4 address that a socket of both kinds shows.
        let mapped: IpAddr = Ipv6Addr::from_bits(0xffff_c000_0201).into();
        assert_eq!(network(mapped), IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn those_who_come_when_it_is_full_share_what_one_may() {
        let (rates, start) = (Rates::new(10), Instant::now());
        let client = |n: usize| IpAddr::from(u32::try_from(n).unwrap_or_default().to_be_bytes());
        for n in 0..MOST_CLIENTS {
            assert!(rates.take(client(n), start));
        }
        let taken = (0..200)
            .filter(|n| rates.take(client(MOST_CLIENTS + n), start))
            .count();
        assert_eq!(taken, 100);
        assert!(
            rates.take(client(0), start),
            "who is known has a bucket of their own"
        );
        assert_eq!(
            rates
                .buckets
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .known
                .len(),
            MOST_CLIENTS
        );
        // Once the others' buckets are full again there is room.
        let later = start + Duration::from_secs(20);
        assert!((0..50).all(|_| rates.take(client(MOST_CLIENTS), later)));
    }
}
