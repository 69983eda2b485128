//! Picking the next token.

use std::collections::BTreeSet;

use twinloom_sdk::serving::{Logprob, Sampling};

use crate::ModelError;

/// Checks that every setting is in its bounds.
///
/// # Errors
/// `model.input`, naming the setting.
pub fn check(sampling: &Sampling) -> Result<(), ModelError> {
    let bounds = [
        (
            "max_new_tokens",
            (1..=1_000_000).contains(&sampling.max_new_tokens),
            "1 to 1000000",
        ),
        (
            "temperature",
            (0.0..=100.0).contains(&sampling.temperature),
            "0 to 100",
        ),
        (
            "top_p",
            sampling.top_p > 0.0 && sampling.top_p <= 1.0,
            "above 0, to 1",
        ),
        ("min_p", (0.0..1.0).contains(&sampling.min_p), "0 to below 1"),
        (
            "repetition_penalty",
            sampling.repetition_penalty > 0.0 && sampling.repetition_penalty <= 100.0,
            "above 0, to 100",
        ),
        (
            "stop",
            sampling.stop.len() <= 64 && sampling.stop.iter().all(|text| (1..=1024).contains(&text.len())),
            "up to 64 texts that are not empty",
        ),
        (
            "stop_tokens",
            sampling.stop_tokens.len() <= 1024,
            "up to 1024 tokens",
        ),
        (
            "logprobs",
            sampling.logprobs.is_none_or(|count| count <= 100),
            "up to 100",
        ),
    ];
    match bounds.into_iter().find(|(_, holds, _)| !holds) {
        None => Ok(()),
        Some((name, _, bounds)) => Err(ModelError::input(
            format!("`{name}` is out of its bounds"),
            format!("Set it to {bounds}."),
        )),
    }
}

/// How likely a token was among these logits, with the `top` likeliest ones.
#[must_use]
pub fn logprob(logits: &[f32], token: u32, top: usize) -> Logprob {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.iter().map(|logit| f64::from(logit - highest).exp()).sum();
    let log = |logit: f32| (f64::from(logit - highest) - total.ln()) as f32;
    let mut order = weighed(logits);
    first_sorted(&mut order, top);
    order.truncate(top);
    Logprob {
        token,
        logprob: logits
            .get(token as usize)
            .map_or(f32::NEG_INFINITY, |logit| log(*logit)),
        top: order
            .into_iter()
            .map(|(token, logit)| (token, log(logit)))
            .collect(),
    }
}

/// Picks tokens of one text; settings apply in the order of the fields of [`Sampling`], the penalty first.
pub struct Sampler {
    sampling: Sampling,
    seen: BTreeSet<u32>,
    random: u64,
}

impl Sampler {
    /// A sampler for a text that starts with `prompt`.
    #[must_use]
    pub fn new(sampling: &Sampling, prompt: &[u32]) -> Self {
        let seen = if sampling.repetition_penalty == 1.0 {
            BTreeSet::new()
        } else {
            prompt.iter().copied().collect()
        };
        Self {
            sampling: sampling.clone(),
            seen,
            random: sampling.seed,
        }
    }

    /// The next token for these logits, one a token of the vocabulary.
    pub fn pick(&mut self, logits: &mut [f32]) -> u32 {
        self.penalise(logits);
        let token = if self.sampling.temperature == 0.0 {
            twinloom_kernels::argmax(logits) as u32
        } else {
            self.draw(logits)
        };
        if self.sampling.repetition_penalty != 1.0 {
            self.seen.insert(token);
        }
        token
    }

    fn penalise(&self, logits: &mut [f32]) {
        let penalty = self.sampling.repetition_penalty as f32;
        for &token in &self.seen {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = if *logit > 0.0 {
                    *logit / penalty
                } else {
                    *logit * penalty
                };
            }
        }
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let mut order = weighed(logits);
        let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if self.sampling.top_k > 0 {
            first_sorted(&mut order, self.sampling.top_k);
            order.truncate(self.sampling.top_k);
        }
        let temperature = self.sampling.temperature;
        let mut order: Vec<(u32, f64)> = order
            .into_iter()
            .map(|(token, logit)| (token, (f64::from(logit - highest) / temperature).exp()))
            .collect();
        keep_top_p(&mut order, self.sampling.top_p);
        order.retain(|(_, weight)| *weight >= self.sampling.min_p);
        let total: f64 = order.iter().map(|(_, weight)| weight).sum();
        let mut left = self.uniform() * total;
        for (token, weight) in &order {
            left -= weight;
            if left < 0.0 {
                return *token;
            }
        }
        // Rounding may leave a crumb behind the last.
        let likely = order.iter().rev().find(|(_, weight)| *weight > 0.0);
        likely.map_or(0, |(token, _)| *token)
    }

    /// SplitMix64: the same numbers on every machine and in every version.
    fn uniform(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn weighed(logits: &[f32]) -> Vec<(u32, f32)> {
    (0..).zip(logits.iter().copied()).collect()
}

/// Brings the `count` largest to the front, in falling order; ties go by id. The rest stays in no order: sorting a whole
/// vocabulary takes longer than a step.
fn first_sorted<V: PartialOrd + Copy>(order: &mut [(u32, V)], count: usize) {
    let falling = |a: &(u32, V), b: &(u32, V)| {
        b.1.partial_cmp(&a.1)
            .unwrap_or(std::cmp::Ordering::Equal)
            .then(a.0.cmp(&b.0))
    };
    if count < order.len() {
        if count == 0 {
            return;
        }
        order.select_nth_unstable_by(count - 1, falling);
    }
    let count = count.min(order.len());
    if let Some(front) = order.get_mut(..count) {
        front.sort_unstable_by(falling);
    }
}

/// Keeps the fewest of the largest weights that make up the share, and always one.
fn keep_top_p(order: &mut Vec<(u32, f64)>, share: f64) {
    if share >= 1.0 {
        return;
    }
    let total: f64 = order.iter().map(|(_, weight)| weight).sum();
    let mut sorted = 64;
    loop {
        first_sorted(order, sorted);
        let mut sum = 0.0;
        let mut kept = 0;
        for (_, weight) in order.iter().take(sorted) {
            if sum >= share * total {
                break;
            }
            sum += weight;
            kept += 1;
        }
        if kept < sorted || sorted >= order.len() {
            return order.truncate(kept.max(1));
        }
        sorted *= 16;
    }
}
