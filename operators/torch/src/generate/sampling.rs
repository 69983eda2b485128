//! Picking the next token.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ModelError;

/// How tokens are picked. Without settings: greedily, up to 256 tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// At most so many tokens.
    pub max_new_tokens: usize,
    /// 0 always picks the likeliest; more flattens the distribution.
    pub temperature: f64,
    /// Only the `top_k` likeliest tokens; 0 is off.
    pub top_k: usize,
    /// Only the smallest set of likeliest tokens with this much probability; 1 is off.
    pub top_p: f64,
    /// Only tokens with at least this share of the likeliest one's probability; 0 is off.
    pub min_p: f64,
    /// Tokens of the text so far become this much less likely; 1 is off.
    pub repetition_penalty: f64,
    /// Equal seeds give equal text.
    pub seed: u64,
    /// Texts that end the answer; they are left out of it.
    pub stop: Vec<String>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            max_new_tokens: 256,
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            seed: 0,
            stop: Vec::new(),
        }
    }
}

impl Sampling {
    /// Checks that every setting is in its bounds.
    ///
    /// # Errors
    /// `model.input`, naming the setting.
    pub fn check(&self) -> Result<(), ModelError> {
        let bounds = [
            (
                "max_new_tokens",
                (1..=1_000_000).contains(&self.max_new_tokens),
                "1 to 1000000",
            ),
            (
                "temperature",
                (0.0..=100.0).contains(&self.temperature),
                "0 to 100",
            ),
            ("top_p", self.top_p > 0.0 && self.top_p <= 1.0, "above 0, to 1"),
            ("min_p", (0.0..1.0).contains(&self.min_p), "0 to below 1"),
            (
                "repetition_penalty",
                self.repetition_penalty > 0.0 && self.repetition_penalty <= 100.0,
                "above 0, to 100",
            ),
            (
                "stop",
                self.stop.len() <= 64 && self.stop.iter().all(|text| (1..=1024).contains(&text.len())),
                "up to 64 texts that are not empty",
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
}

/// Picks tokens of one text; settings apply in the order of the fields of [`Sampling`], the penalty first.
pub struct Sampler<'a> {
    sampling: &'a Sampling,
    seen: BTreeSet<u32>,
    random: u64,
}

impl<'a> Sampler<'a> {
    /// A sampler for a text that starts with `prompt`.
    #[must_use]
    pub fn new(sampling: &'a Sampling, prompt: &[u32]) -> Self {
        let seen = if sampling.repetition_penalty == 1.0 {
            BTreeSet::new()
        } else {
            prompt.iter().copied().collect()
        };
        Self {
            sampling,
            seen,
            random: sampling.seed,
        }
    }

    /// The next token for these logits, one a token of the vocabulary.
    pub fn pick(&mut self, logits: &mut [f32]) -> u32 {
        self.penalise(logits);
        let token = if self.sampling.temperature == 0.0 {
            greedy(logits)
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
        let mut order: Vec<(u32, f64)> = (0..).zip(logits.iter().map(|logit| f64::from(*logit))).collect();
        // Ties go by id, so that the order never depends on the sort.
        order.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        if self.sampling.top_k > 0 {
            order.truncate(self.sampling.top_k);
        }
        let Some(&(first, highest)) = order.first() else {
            return 0;
        };
        order
            .iter_mut()
            .for_each(|(_, value)| *value = ((*value - highest) / self.sampling.temperature).exp());
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
        order.last().map_or(first, |(token, _)| *token)
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

fn greedy(logits: &[f32]) -> u32 {
    let best = (0_u32..)
        .zip(logits)
        .fold((0, f32::NEG_INFINITY), |best, (id, &logit)| {
            if logit > best.1 { (id, logit) } else { best }
        });
    best.0
}

/// Weights in falling order: keeps the fewest that make up the share, and always one.
fn keep_top_p(order: &mut Vec<(u32, f64)>, share: f64) {
    if share >= 1.0 {
        return;
    }
    let total: f64 = order.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let before = |(_, weight): &&(u32, f64)| {
        let wanted = sum < share * total;
        sum += weight;
        wanted
    };
    let count = order.iter().take_while(before).count();
    order.truncate(count.max(1));
}
