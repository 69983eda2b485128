//! The trials of a search: what is drawn, how budgets grow, and who goes on to the next rung.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};

use crate::{
    Goal,
    model::{Range, Search, Select},
};

/// Draws that are made for a new configuration before it is taken that there is none left.
const TRIES: u64 = 64;

/// The drawn configurations, each once. A draw hangs on the seed, the trial and the name alone: more trials or another
/// range leave the others as they were.
pub(crate) fn draw(search: &Search) -> Vec<Map<String, Value>> {
    let seed = search.seed.unwrap_or(0);
    let mut seen = HashSet::new();
    let mut drawn = Vec::new();
    for trial in 0..u64::from(search.random.value) {
        let fresh = (0..TRIES).find_map(|attempt| {
            let values: Map<String, Value> = search
                .over
                .iter()
                .map(|(name, entry)| {
                    let bits = bits(seed, trial, attempt, name);
                    (name.to_owned(), value(&entry.value.value, bits))
                })
                .collect();
            let text = Value::Object(values.clone()).to_string();
            seen.insert(text).then_some(values)
        });
        drawn.extend(fresh);
    }
    drawn
}

/// The budget of each rung with its name; one rung without a budget where there is no `halving`.
pub(crate) fn rungs(search: &Search) -> Vec<Option<(String, u32)>> {
    let Some(halving) = &search.halving else {
        return vec![None];
    };
    let factor = u64::from(factor(search).max(2));
    let (most, mut budget) = (u64::from(halving.max.value), u64::from(halving.min.value.max(1)));
    let mut rungs = Vec::new();
    loop {
        // A last step that is small would hardly be worth a rung.
        let last = budget.saturating_mul(factor) > most && budget.saturating_mul(3) > most.saturating_mul(2);
        let this = if last || budget >= most { most } else { budget };
        rungs.push(Some((
            halving.budget.value.clone(),
            u32::try_from(this).unwrap_or(u32::MAX),
        )));
        if this >= most || rungs.len() > 64 {
            return rungs;
        }
        budget = budget.saturating_mul(factor).min(most);
    }
}

/// The condition of a trial's next rung: it was among the best of the rung before (`before`; one in `factor` goes on, at
/// least one), and that rung was worth it.
pub(super) fn goes_on(
    search: &Search,
    select: &Select,
    own: &str,
    before: &[String],
    earlier: Option<&Vec<String>>,
) -> Option<String> {
    let by = by(&select.metric.value, select.goal);
    let factor = factor(search).max(2) as usize;
    // With each rung fewer: of 27 trials 9, 3, 1. The list holds all of them, those that were left out included.
    let ids = list(before.iter().map(String::as_str));
    let mut condition = format!("among_best(steps, {}, {ids}, {by}, {factor})", Value::from(own));
    let gain = search
        .halving
        .as_ref()
        .and_then(|halving| halving.min_gain.as_ref());
    if let (Some(gain), Some(earlier)) = (gain, earlier) {
        let earlier = list(earlier.iter().map(String::as_str));
        condition = format!(
            "{condition} and has_gained(steps, {earlier}, {ids}, {by}, {})",
            gain.value
        );
    }
    Some(condition)
}

/// The best of some tasks as an expression.
pub(super) fn best_of<'a>(ids: impl Iterator<Item = &'a str>, metric: &str, goal: Goal) -> String {
    format!("best_of(steps, {}, {})", list(ids), by(metric, goal))
}

fn list<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    Value::from(ids.map(Value::from).collect::<Vec<_>>()).to_string()
}

/// A metric, and the way that it is better.
fn by(metric: &str, goal: Goal) -> String {
    let way = match goal {
        Goal::Minimize => "minimize",
        Goal::Maximize => "maximize",
    };
    list([metric, way].into_iter())
}

fn factor(search: &Search) -> u32 {
    let stated = search
        .halving
        .as_ref()
        .and_then(|halving| halving.factor.as_ref());
    stated.map_or(3, |factor| factor.value)
}

fn value(range: &Range, bits: u64) -> Value {
    // 53 bits, so that every number from 0 to below 1 is as likely.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let unit = (bits >> 11) as f64 / (1_u64 << 53) as f64;
    let between = |numbers: &[f64]| match numbers {
        [low, high] => (*low, *high),
        _ => (0.0, 0.0),
    };
    if let Some(choice) = &range.choice {
        let place = usize::try_from(bits % choice.len().max(1) as u64).unwrap_or(0);
        return choice.get(place).map_or(Value::Null, crate::yaml::Node::to_value);
    }
    if let Some(numbers) = &range.integer {
        let (low, high) = between(numbers);
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 1e15")]
        return Value::from((low + (unit * (high - low + 1.0)).floor()).min(high) as i64);
    }
    if let Some(numbers) = &range.log_uniform {
        let (low, high) = between(numbers);
        return rounded((low.ln() + unit * (high.ln() - low.ln())).exp().clamp(low, high));
    }
    let (low, high) = range.uniform.as_deref().map_or((0.0, 0.0), between);
    rounded((low + unit * (high - low)).clamp(low, high))
}

/// Four digits: people read and repeat these numbers.
fn rounded(number: f64) -> Value {
    let short: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    Number::from_f64(short).map_or(Value::Null, Value::Number)
}

fn bits(seed: u64, trial: u64, attempt: u64, name: &str) -> u64 {
    let named = name.bytes().fold(0xCBF2_9CE4_8422_2325, |all: u64, byte| {
        (all ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    [trial, attempt, named]
        .into_iter()
        .fold(mixed(seed), |all, part| mixed(all ^ part))
}

/// splitmix64.
fn mixed(x: u64) -> u64 {
    let mut x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
