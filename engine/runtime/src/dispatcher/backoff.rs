//! How long to wait before the next attempt.

use std::time::Duration;

use twinloom_spec::{Backoff, Retries};

/// The delay after the `failure`th failure (from 1). `draw` seeds the jitter: the same draw gives the same delay.
pub fn delay(retries: &Retries, failure: u32, draw: &str) -> Duration {
    let before = failure.saturating_sub(1);
    let full = match retries.backoff {
        Backoff::Constant => Some(retries.initial),
        Backoff::Linear => retries.initial.checked_mul(failure.max(1)),
        Backoff::Exponential => 2_u32
            .checked_pow(before)
            .and_then(|times| retries.initial.checked_mul(times)),
    };
    let full = full.unwrap_or(retries.max_delay).min(retries.max_delay);
    if retries.jitter {
        full.mul_f64(0.5 + fraction(draw, failure) / 2.0)
    } else {
        full
    }
}

fn fraction(draw: &str, failure: u32) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(draw.as_bytes()).update(&failure.to_le_bytes());
    let mut bytes = [0; 4];
    hasher.finalize_xof().fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn retries(backoff: Backoff, jitter: bool) -> Retries {
        let (initial, max_delay) = (Duration::from_secs(2), Duration::from_secs(60));
        Retries {
            max: 5,
            backoff,
            initial,
            max_delay,
            jitter,
        }
    }

    fn seconds(backoff: Backoff) -> Vec<u64> {
        (1..=7)
            .map(|failure| delay(&retries(backoff, false), failure, "").as_secs())
            .collect()
    }

    #[test]
    fn delays_grow_up_to_the_longest() {
        assert_eq!(seconds(Backoff::Constant), [2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(seconds(Backoff::Linear), [2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(seconds(Backoff::Exponential), [2, 4, 8, 16, 32, 60, 60]);
    }

    proptest! {
        #[test]
        fn jitter_draws_from_the_upper_half(failure in 1_u32..2000, draw in ".{0,8}") {
            let plain = delay(&retries(Backoff::Exponential, false), failure, &draw);
            let drawn = delay(&retries(Backoff::Exponential, true), failure, &draw);
            prop_assert!(drawn <= plain && drawn >= plain / 2);
            prop_assert_eq!(drawn, delay(&retries(Backoff::Exponential, true), failure, &draw));
        }
    }
}
