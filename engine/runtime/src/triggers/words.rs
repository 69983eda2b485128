//! Conditions in words.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    condition::{CatchUp, Condition, Dataset},
    machine::{Machine, later},
};
use crate::service::QueueState;

impl Condition {
    /// The condition in a sentence without its full stop.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Schedule(spec) => {
                let when = match (&spec.cron, &spec.every) {
                    (Some(cron), _) => format!("cron {cron} ({})", spec.timezone),
                    (None, Some(every)) => format!("every {}", span(every.0)),
                    (None, None) => "never".to_owned(),
                };
                let catchup = match spec.catchup {
                    CatchUp::None => "",
                    CatchUp::Latest => ", the last missed time is caught up",
                    CatchUp::All => ", missed times are caught up",
                };
                format!("{when}{catchup}")
            }
            Self::Datasets(group) => {
                let names: Vec<String> = group.of.iter().map(dataset).collect();
                let (least, all) = (group.at_least, names.len());
                let mut text = match least {
                    _ if all == 1 => format!("a new version of {}", names.join("")),
                    1 => format!("a new version of any of {}", names.join(", ")),
                    _ if least == all => format!("new versions of all of {}", names.join(", ")),
                    _ => format!("new versions of {least} of {}", names.join(", ")),
                };
                if let Some(within) = group.within {
                    text.push_str(&format!(" within {}", span(within.0)));
                }
                if let Some(debounce) = group.debounce {
                    text.push_str(&format!(", then {} of quiet", span(debounce.0)));
                }
                text
            }
            Self::Models(spec) => match &spec.alias {
                Some(alias) => format!("`{}@{alias}` moves to another version", spec.name),
                None => format!("a new version of the model `{}`", spec.name),
            },
            Self::Runs(spec) => format!("a run of `{}` ends as {}", spec.dag, spec.states.join(" or ")),
            Self::Webhook(_) => "a signed request".to_owned(),
            Self::Queue(spec) => match spec.batch {
                1 => format!("a message of the queue `{}`", spec.name),
                most => format!("messages of the queue `{}`, up to {most} a run", spec.name),
            },
            Self::Freshness(spec) => format!(
                "alert where `{}` is older than {}",
                spec.dataset,
                span(spec.max_age.0)
            ),
        }
    }
}

impl QueueState {
    /// Why no message can come, in a sentence; none where messages can.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        let reason = self.error.as_deref().filter(|_| !self.connected)?;
        Some(format!(
            "Its queue is not connected since {}: {reason}.",
            self.since
        ))
    }
}

impl Machine {
    /// What it has and what it waits for: `{"paused", "has", "waits_for"}`.
    #[must_use]
    pub fn holds(&self) -> Value {
        let (mut has, mut waits) = (Vec::new(), Vec::new());
        match &self.condition {
            Condition::Datasets(group) => {
                for (name, have) in &self.state.have {
                    let ready = have.fulfilled.is_some();
                    has.push(
                        json!({ "dataset": name, "version": have.version, "changed_rows": have.changed,
                        "fulfilled": ready }),
                    );
                }
                waits = self.missing(group);
            }
            Condition::Queue(_) => has.push(json!({ "messages": self.state.messages.len() })),
            Condition::Freshness(_) => has.push(json!({ "newest_at": self.state.newest })),
            Condition::Schedule(_) => has.push(json!({ "after": self.state.after })),
            _ => {}
        }
        json!({ "paused": self.state.paused, "has": has, "waits_for": waits })
    }

    /// What it would take to fire, in a sentence.
    #[must_use]
    pub fn would_take(&self) -> String {
        if self.state.paused {
            return "The DAG is paused: it takes someone to resume it.".to_owned();
        }
        match &self.condition {
            Condition::Schedule(_) => match self.due_at() {
                Some(at) => format!("It fires at {at}."),
                None => "Its times are over: it takes a later `end`.".to_owned(),
            },
            Condition::Datasets(group) => {
                if let Some(met) = &self.state.met {
                    let until = group.debounce.and_then(|debounce| later(met.at, debounce));
                    let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
                    return format!("The condition is met; it takes quiet{until}.");
                }
                let open = group.at_least.saturating_sub(self.fulfilled(group));
                let missing = self.missing(group);
                let within = group
                    .within
                    .map(|within| format!(", within {} of the others", span(within.0)))
                    .unwrap_or_default();
                if open == missing.len() {
                    format!("It takes a new version of {}{within}.", missing.join(" and of "))
                } else {
                    format!(
                        "It takes new versions of {open} of {}{within}.",
                        missing.join(", ")
                    )
                }
            }
            Condition::Freshness(_) => match self.due_at() {
                Some(at) => format!("It raises an alert at {at}, unless a newer version comes first."),
                None => "The alert is raised; it takes a newer version to end it.".to_owned(),
            },
            other => format!("It takes {}.", other.describe()),
        }
    }
}

fn dataset(spec: &Dataset) -> String {
    let mut wants = Vec::new();
    wants.extend(spec.min_changed_rows.map(|least| format!("{least} changed rows")));
    wants.extend(spec.tag.as_ref().map(|tag| format!("tag {tag}")));
    wants.extend(spec.metrics.iter().map(|(name, bounds)| {
        let min = bounds.min.map(|min| format!(" ≥ {min}")).unwrap_or_default();
        let max = bounds.max.map(|max| format!(" ≤ {max}")).unwrap_or_default();
        format!("{name}{min}{max}")
    }));
    wants.extend(spec.checks.iter().map(|check| format!("check {check}")));
    if wants.is_empty() {
        format!("`{}`", spec.name)
    } else {
        format!("`{}` ({})", spec.name, wants.join(", "))
    }
}

fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    match units
        .iter()
        .find(|(size, _)| seconds >= *size && seconds.is_multiple_of(*size))
    {
        Some((size, unit)) if duration.subsec_nanos() == 0 => format!("{}{unit}", seconds / size),
        _ => format!("{duration:?}"),
    }
}
