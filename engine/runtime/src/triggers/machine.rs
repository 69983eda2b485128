//! A trigger as a machine: events and time in, decisions out. Pure: the same log gives the same decisions, so that a
//! trigger whose process died goes on where its last stored state was.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    condition::{Bounds, Condition, Dataset, Datasets, Seconds},
    schedule,
    seen::{Seen, Version, What},
    state::{Cause, Decided, Have, Met, State},
};

/// Messages that wait, at most. A paused DAG's queue is not listened to, so that only what was under way then waits here.
pub const MOST_MESSAGES: usize = 100_000;

/// A condition and what it holds.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The DAG.
    pub dag: String,
    /// The condition.
    pub condition: Condition,
    /// What it holds.
    pub state: State,
}

impl Machine {
    /// Takes an event in; `decided` gets what follows.
    pub fn observe(&mut self, seen: &Seen, decided: &mut Vec<Decided>) {
        if let What::Paused(dag, paused) = &seen.what {
            if *dag == self.dag {
                self.pause(*paused, seen, decided);
            }
            return;
        }
        match (&self.condition, &seen.what) {
            (Condition::Datasets(group), What::Dataset(version, tag)) => {
                let group = group.clone();
                self.dataset(&group, seen, version, tag.as_deref(), decided);
            }
            (Condition::Models(spec), What::Model(version, alias)) => {
                if version.name != spec.name || alias.as_deref() != spec.alias.as_deref() {
                    return;
                }
                let what = match alias {
                    Some(alias) => format!("`{}@{alias}` moved to version {}", version.name, version.version),
                    None => format!(
                        "version {} of the model `{}` was registered",
                        version.version, version.name
                    ),
                };
                if let Some(missed) = missed(&spec.metrics, &[], version) {
                    return decided.push(pass(seen, format!("{what}, but {missed}")));
                }
                let detail = object(json!({ "models": { (version.name.as_str()): version.version } }));
                let cause = cause(seen, format!("{what}."), detail);
                self.fire(cause, decided);
            }
            (Condition::Runs(spec), What::RunEnded { dag, state }) if *dag == spec.dag => {
                let run = seen.run.clone().unwrap_or_default();
                if !spec.states.contains(state) {
                    let wanted = spec.states.join(" or ");
                    let reason = format!("Run {run} of `{dag}` ended as {state}, not as {wanted}.");
                    return decided.push(pass(seen, reason));
                }
                let detail = object(json!({ "upstream_run": run }));
                let cause = cause(seen, format!("Run {run} of `{dag}` ended as {state}."), detail);
                self.fire(cause, decided);
            }
            (Condition::Webhook(_), What::Webhook(dag)) if *dag == self.dag => {
                let mut cause = cause(seen, "A signed request came in.".to_owned(), Map::new());
                cause.payloads = vec![seen.id];
                self.fire(cause, decided);
            }
            (Condition::Queue(spec), What::Message(queue)) if *queue == spec.name => {
                if self.state.messages.len() >= MOST_MESSAGES {
                    let reason = format!("{MOST_MESSAGES} messages wait already; this one is dropped.");
                    return decided.push(pass(seen, reason));
                }
                self.state.messages.push_back(seen.id);
            }
            (Condition::Freshness(spec), What::Dataset(version, None)) if version.name == spec.dataset => {
                self.state.newest = self.state.newest.max(Some(seen.at));
            }
            _ => {}
        }
    }

    /// Does what was due before an event that happened at `at`; said before [`Machine::observe`].
    pub fn catch_up(&mut self, at: Timestamp, decided: &mut Vec<Decided>) {
        if let Condition::Datasets(group) = &self.condition {
            let group = group.clone();
            self.quiet(&group, at, decided);
        }
    }

    /// Does what is due at `now`, all events up to then having been taken in.
    pub fn tick(&mut self, now: Timestamp, decided: &mut Vec<Decided>) {
        match self.condition.clone() {
            Condition::Datasets(group) => self.quiet(&group, now, decided),
            Condition::Schedule(spec) if !self.state.paused => {
                let after = self.state.after.unwrap_or(now);
                let due = schedule::due(&spec, &self.dag, after, now);
                if let Some(at) = due.dropped {
                    decided.push(Decided::Pass {
                        key: format!("time:{at}"),
                        event: None,
                        at,
                        reason: format!("Times up to {at} passed unseen and were dropped (catchup)."),
                    });
                }
                let why = self.condition.describe();
                for at in &due.times {
                    self.state.after = Some(*at);
                    let cause = Cause {
                        key: format!("time:{at}"),
                        event: None,
                        at: *at,
                        reason: format!("Its time came: {why}."),
                        detail: object(json!({ "scheduled_for": at })),
                        run: None,
                        payloads: Vec::new(),
                    };
                    self.fire(cause, decided);
                }
                self.state.after = self.state.after.max(due.after);
            }
            Condition::Queue(spec) if !self.state.paused => {
                while !self.state.messages.is_empty() {
                    let count = spec.batch.min(self.state.messages.len());
                    let events: Vec<i64> = self.state.messages.drain(..count).collect();
                    let last = events.last().copied();
                    let cause = Cause {
                        key: format!("event:{}", last.unwrap_or_default()),
                        event: last,
                        at: now,
                        reason: format!("{count} messages of the queue `{}` came in.", spec.name),
                        detail: object(json!({ "messages": count })),
                        run: None,
                        payloads: events,
                    };
                    self.fire(cause, decided);
                }
            }
            _ => {}
        }
    }

    /// When [`Machine::tick`] has something to do next, if nothing happens before.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        match &self.condition {
            Condition::Datasets(group) => {
                let met = self.state.met.as_ref()?;
                later(met.at, group.debounce?)
            }
            Condition::Schedule(spec) if !self.state.paused => {
                schedule::next_due(spec, &self.dag, self.state.after?)
            }
            Condition::Freshness(spec) => {
                let deadline = later(self.state.newest?, spec.max_age)?;
                (self.state.alerted < Some(deadline)).then_some(deadline)
            }
            _ => None,
        }
    }

    fn pause(&mut self, paused: bool, seen: &Seen, decided: &mut Vec<Decided>) {
        self.state.paused = paused;
        if paused {
            return;
        }
        if let Some(mut held) = self.state.held.take() {
            held.reason = format!("{} It was held while the DAG was paused.", held.reason);
            held.key = format!("event:{}", seen.id);
            self.fire(*held, decided);
        }
    }

    fn fire(&mut self, cause: Cause, decided: &mut Vec<Decided>) {
        if self.state.paused {
            decided.push(Decided::Pass {
                key: cause.key.clone(),
                event: cause.event,
                at: cause.at,
                reason: format!(
                    "{} The DAG is paused: one run starts when it goes on.",
                    cause.reason
                ),
            });
            self.state.held = Some(Box::new(cause));
            return;
        }
        decided.push(Decided::Fire(Box::new(cause), Box::new(self.state.clone())));
    }

    fn dataset(
        &mut self,
        group: &Datasets,
        seen: &Seen,
        version: &Version,
        tag: Option<&str>,
        decided: &mut Vec<Decided>,
    ) {
        let Some(spec) = group.of.iter().find(|spec| spec.name == version.name) else {
            return;
        };
        let have = self.state.have.entry(version.name.clone()).or_default();
        have.version = have.version.max(version.version);
        have.changed = have.changed.saturating_add(version.changed);
        let name = format!("`{}@{}`", version.name, version.version);
        if let Some(short) = short_of(spec, have, version, tag) {
            return decided.push(pass(seen, format!("{name} came, but {short}")));
        }
        have.fulfilled = Some(seen.at);
        if let Some(within) = group.within {
            let oldest = seen
                .at
                .checked_sub(SignedDuration::try_from(within.0).unwrap_or(SignedDuration::MAX))
                .unwrap_or(Timestamp::MIN);
            for other in self.state.have.values_mut() {
                other.fulfilled = other.fulfilled.filter(|at| *at >= oldest);
            }
        }
        let met = Met {
            event: seen.id,
            at: seen.at,
            run: seen.run.clone(),
        };
        // Once met it stays met: the wait for quiet only puts it off.
        if self.state.met.is_none() && self.fulfilled(group) < group.at_least {
            let missing = self.missing(group).join(", ");
            return decided.push(pass(seen, format!("{name} came; it still waits for {missing}.")));
        }
        match group.debounce.filter(|debounce| !debounce.0.is_zero()) {
            Some(debounce) => {
                let until = later(seen.at, debounce);
                let until = until
                    .map(|until| format!(" until {until:.0}"))
                    .unwrap_or_default();
                self.state.met = Some(met);
                decided.push(pass(
                    seen,
                    format!("{name} came and the condition is met; it waits for quiet{until}."),
                ));
            }
            None => self.fire_datasets(group, met, seen.at, decided),
        }
    }

    /// Fires what has been met and quiet for long enough.
    fn quiet(&mut self, group: &Datasets, now: Timestamp, decided: &mut Vec<Decided>) {
        let Some((met, debounce)) = self.state.met.clone().zip(group.debounce) else {
            return;
        };
        if let Some(at) = later(met.at, debounce).filter(|at| *at <= now) {
            self.fire_datasets(group, met, at, decided);
        }
    }

    fn fire_datasets(&mut self, group: &Datasets, met: Met, at: Timestamp, decided: &mut Vec<Decided>) {
        let versions: Map<String, Value> = self
            .state
            .have
            .iter()
            .filter(|(_, have)| have.fulfilled.is_some())
            .map(|(name, have)| (name.clone(), have.version.into()))
            .collect();
        let names: Vec<String> = versions
            .iter()
            .map(|(name, version)| format!("`{name}@{version}`"))
            .collect();
        let quiet = group
            .debounce
            .map(|_| ", and then nothing more")
            .unwrap_or_default();
        let cause = Cause {
            key: format!("event:{}", met.event),
            event: Some(met.event),
            at,
            reason: format!("New versions came: {}{quiet}.", names.join(", ")),
            detail: object(json!({ "datasets": versions })),
            run: met.run,
            payloads: Vec::new(),
        };
        (self.state.have, self.state.met) = (Default::default(), None);
        self.fire(cause, decided);
    }

    /// Datasets whose conditions are fulfilled since the last run.
    #[must_use]
    pub fn fulfilled(&self, group: &Datasets) -> usize {
        let has = |spec: &&Dataset| {
            self.state
                .have
                .get(&spec.name)
                .is_some_and(|have| have.fulfilled.is_some())
        };
        group.of.iter().filter(has).count()
    }

    /// What the datasets lack whose conditions are not fulfilled.
    #[must_use]
    pub fn missing(&self, group: &Datasets) -> Vec<String> {
        let lacking = |spec: &Dataset| {
            let have = self.state.have.get(&spec.name);
            if have.is_some_and(|have| have.fulfilled.is_some()) {
                return None;
            }
            let changed = have.map_or(0, |have| have.changed);
            Some(match spec.min_changed_rows {
                Some(least) if least > changed => {
                    format!("`{}` ({changed} of {least} changed rows)", spec.name)
                }
                _ => format!("`{}`", spec.name),
            })
        };
        group.of.iter().filter_map(lacking).collect()
    }
}

/// What a version lacks to count.
fn short_of(spec: &Dataset, have: &Have, version: &Version, tag: Option<&str>) -> Option<String> {
    if spec.tag.as_deref() != tag {
        return Some(match &spec.tag {
            Some(wanted) => format!("it has not got the tag `{wanted}`."),
            None => "a tag makes no new version.".to_owned(),
        });
    }
    if let Some(missed) = missed(&spec.metrics, &spec.checks, version) {
        return Some(missed);
    }
    let least = spec.min_changed_rows.unwrap_or(0);
    (have.changed < least).then(|| {
        format!(
            "only {} of {least} rows have changed since the last run.",
            have.changed
        )
    })
}

/// A bound or check that a version does not hold.
fn missed(
    bounds: &std::collections::BTreeMap<String, Bounds>,
    checks: &[String],
    version: &Version,
) -> Option<String> {
    for (name, bound) in bounds {
        match version.metrics.get(name) {
            None => return Some(format!("it has no metric `{name}`.")),
            Some(value) if !bound.hold(*value) => {
                let min = bound.min.map(|min| format!(" from {min}")).unwrap_or_default();
                let max = bound.max.map(|max| format!(" up to {max}")).unwrap_or_default();
                return Some(format!("its `{name}` is {value}, wanted{min}{max}."));
            }
            Some(_) => {}
        }
    }
    checks.iter().find_map(|name| match version.checks.get(name) {
        Some(true) => None,
        Some(false) => Some(format!("its check `{name}` failed.")),
        None => Some(format!("it has no check `{name}`.")),
    })
}

/// A time and a length after it.
pub fn later(at: Timestamp, by: Seconds) -> Option<Timestamp> {
    at.checked_add(SignedDuration::try_from(by.0).ok()?).ok()
}

fn cause(seen: &Seen, reason: String, detail: Map<String, Value>) -> Cause {
    Cause {
        key: format!("event:{}", seen.id),
        event: Some(seen.id),
        at: seen.at,
        reason,
        detail,
        run: seen.run.clone(),
        payloads: Vec::new(),
    }
}

fn pass(seen: &Seen, reason: String) -> Decided {
    Decided::Pass {
        key: format!("event:{}", seen.id),
        event: Some(seen.id),
        at: seen.at,
        reason,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
