//! Times of schedules.
//!
//! A cron expression is read on the wall clock of its time zone. When clocks go forward, a time that does not exist
//! (02:30 of that night) runs at the first moment after the gap. When they go back, a time that comes twice runs once, at
//! its first coming, unless the expression repeats within the hour (`*/15 * * * *`), which runs on through both. An
//! interval (`every`) counts real time from `start`, or from 1970, whatever clocks do.

use std::str::FromStr;

use croner::Cron;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::condition::{CatchUp, Schedule};

/// A time that was seen later than this after it passed counts as missed.
pub const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Times that are caught up at once, at most; older ones are dropped.
pub const MOST_CAUGHT_UP: usize = 1000;

/// Times that are looked at in one go.
const MOST_STEPS: usize = 5000;

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Times that start a run, in order.
    pub times: Vec<Timestamp>,
    /// The last of the times that were passed over, where there are any.
    pub dropped: Option<Timestamp>,
    /// The last time of all that have been dealt with.
    pub after: Option<Timestamp>,
}

/// Times after `after`, up to and with `until`; at most so many.
#[must_use]
pub fn times(spec: &Schedule, after: Timestamp, until: Option<Timestamp>, most: usize) -> Vec<Timestamp> {
    let last = match (until, spec.end) {
        (Some(until), Some(end)) => Some(until.min(end)),
        (until, end) => until.or(end),
    };
    let Some(steps) = Steps::new(spec) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut at = after;
    while found.len() < most {
        let Some(next) = steps.next(at) else { break };
        if last.is_some_and(|last| next > last) {
            break;
        }
        found.push(next);
        at = next;
    }
    found
}

/// The last time after `after`, up to and with `until`. The times between are leapt over.
fn last_between(spec: &Schedule, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
    let until = spec.end.map_or(until, |end| end.min(until));
    let steps = Steps::new(spec)?;
    let next = |at: Timestamp| steps.next(at).filter(|next| *next <= until);
    let (mut found, mut none_after) = (next(after)?, until);
    loop {
        // The rest is halved with each round, so that a step that finds nothing is soon the last one.
        match next(found) {
            Some(further) => found = further,
            None => return Some(found),
        }
        let half = none_after.duration_since(found) / 2;
        let middle = found.checked_add(half).unwrap_or(found);
        match next(middle) {
            Some(further) => found = further,
            None => none_after = middle,
        }
    }
}

/// When the run of a schedule time starts: put off by the jitter, always by the same for the same time.
#[must_use]
pub fn delayed(spec: &Schedule, dag: &str, at: Timestamp) -> Timestamp {
    let Some(jitter) = spec.jitter.filter(|jitter| !jitter.0.is_zero()) else {
        return at;
    };
    let hash = blake3::hash(format!("{dag}/{at}").as_bytes());
    let mut draw = [0_u8; 8];
    draw.copy_from_slice(&hash.as_bytes()[..8]);
    let most = u64::try_from(jitter.0.as_millis()).unwrap_or(u64::MAX).max(1);
    let delay = i64::try_from(u64::from_le_bytes(draw) % most).unwrap_or_default();
    at.checked_add(SignedDuration::from_millis(delay)).unwrap_or(at)
}

/// What is due at `now`, when all up to `after` is dealt with, by the rule for what was missed.
#[must_use]
pub fn due(spec: &Schedule, dag: &str, after: Timestamp, now: Timestamp) -> Due {
    let fresh = now.checked_sub(GRACE).unwrap_or(Timestamp::MIN);
    let mut all = Vec::new();
    let (mut skipped, mut from) = (None, after);
    if spec.catchup == CatchUp::None {
        // What was missed is not even worked out.
        let jitter = spec
            .jitter
            .and_then(|jitter| SignedDuration::try_from(jitter.0).ok());
        let lower = fresh.checked_sub(jitter.unwrap_or_default()).unwrap_or(fresh);
        if lower > after {
            skipped = last_between(spec, after, lower);
            from = lower;
        }
    }
    // Forward only, so that a time is the same however far away one looks at it; from nearer by where it is too far.
    loop {
        let found = times(spec, from, Some(now), MOST_STEPS);
        let full = found.len() == MOST_STEPS;
        match (found.first(), found.last()) {
            (Some(first), Some(last)) if full => {
                let span = last.duration_since(*first);
                let count = i32::try_from(MOST_CAUGHT_UP).unwrap_or(i32::MAX);
                let steps = i32::try_from(MOST_STEPS).unwrap_or(i32::MAX);
                let near = now
                    .checked_sub(span / steps * count * 2)
                    .unwrap_or(*last)
                    .max(*last);
                skipped = Some(*last);
                from = near;
                all = found;
            }
            _ => {
                all.extend(found);
                break;
            }
        }
    }
    // Only those whose delay is over; a later one does not overtake an earlier one.
    let ready = all
        .iter()
        .take_while(|at| delayed(spec, dag, **at) <= now)
        .count();
    all.truncate(ready);
    let last = all.last().copied();
    let missed = all
        .iter()
        .take_while(|at| delayed(spec, dag, **at) < fresh)
        .count();
    let from_missed = match spec.catchup {
        CatchUp::None => missed,
        CatchUp::Latest => missed.saturating_sub(1),
        CatchUp::All => all.len().saturating_sub(MOST_CAUGHT_UP).min(missed),
    };
    let dropped = from_missed
        .checked_sub(1)
        .and_then(|index| all.get(index))
        .copied();
    Due {
        times: all.split_off(from_missed.min(all.len())),
        dropped: dropped.or(skipped),
        after: last.or(skipped.map(|_| from)),
    }
}

/// When something is due next, when all up to `after` is dealt with.
#[must_use]
pub fn next_due(spec: &Schedule, dag: &str, after: Timestamp) -> Option<Timestamp> {
    let next = times(spec, after, None, 1).first().copied()?;
    Some(delayed(spec, dag, next))
}

/// From where a schedule that is new looks on: from its start, where it is to catch up, or else from now.
#[must_use]
pub fn origin(spec: &Schedule, now: Timestamp) -> Timestamp {
    match (spec.catchup, spec.start) {
        (CatchUp::Latest | CatchUp::All, Some(start)) => {
            start.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(start)
        }
        _ => now,
    }
}

enum Steps {
    Cron(Box<Cron>, TimeZone, Timestamp),
    Every(i128, i128),
}

impl Steps {
    fn new(spec: &Schedule) -> Option<Self> {
        if let Some(cron) = &spec.cron {
            let zone = TimeZone::get(&spec.timezone).unwrap_or(TimeZone::UTC);
            let start = spec
                .start
                .and_then(|start| start.checked_sub(SignedDuration::from_nanos(1)).ok())
                .unwrap_or(Timestamp::MIN);
            return Some(Self::Cron(Box::new(Cron::from_str(cron).ok()?), zone, start));
        }
        let every = i128::try_from(spec.every?.0.as_nanos())
            .ok()
            .filter(|every| *every > 0)?;
        let base = spec.start.unwrap_or(Timestamp::UNIX_EPOCH).as_nanosecond();
        Some(Self::Every(base, every))
    }

    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(cron, zone, start) => {
                let from = after.max(*start).to_zoned(zone.clone());
                let next = cron.find_next_occurrence(&from, false).ok()?.timestamp();
                (next > after).then_some(next)
            }
            Self::Every(base, every) => {
                let gone = after.as_nanosecond() - base;
                let steps = (gone.div_euclid(*every) + 1).max(0);
                Timestamp::from_nanosecond(base + steps * every).ok()
            }
        }
    }
}
