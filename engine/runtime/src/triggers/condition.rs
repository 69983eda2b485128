//! What makes a trigger fire, as the DAG file states it.

use std::{collections::BTreeMap, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use twinloom_spec::{
    Dag, NameMap, OneOrMany,
    model::{self, AliasEvent, Catchup, MomentAt, RunEnd},
};
use twinloom_store::ArtifactKind;

/// A trigger's condition. Its JSON is what the database keeps: another one is another trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Condition {
    /// Times.
    Schedule(Schedule),
    /// New versions of datasets.
    Datasets(Datasets),
    /// Versions of models, or aliases that move.
    Models(Models),
    /// Ends of runs of another DAG.
    Runs(Runs),
    /// A signed request.
    Webhook(Webhook),
    /// Messages of a queue.
    Queue(Queue),
    /// A dataset that must be newer than so long; starts nothing, raises an alert.
    Freshness(Freshness),
}

/// A length of time; a number of seconds in JSON.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Seconds(pub Duration);

impl From<f64> for Seconds {
    fn from(seconds: f64) -> Self {
        Self(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }
}

impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0.as_secs_f64()
    }
}

/// Times at which a DAG runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// A cron expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// A fixed interval, counted from `start` or else from 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Seconds>,
    /// An IANA time zone.
    pub timezone: String,
    /// What happens to times that passed unseen.
    pub catchup: CatchUp,
    /// No run before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// No run after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
    /// Each run is put off by up to so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Seconds>,
}

/// What happens to schedule times that passed unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are dropped.
    None,
    /// The last one runs.
    Latest,
    /// Each runs, in order.
    All,
}

/// Datasets of which new versions start the DAG.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Datasets {
    /// So many of them must have a new version.
    pub at_least: usize,
    /// The datasets.
    pub of: Vec<Dataset>,
    /// Versions must have come within this time of each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Seconds>,
    /// Wait until nothing new has come for so long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debounce: Option<Seconds>,
}

/// A dataset and what a version of it must fulfil.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// Rows that must have changed since the last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_changed_rows: Option<u64>,
    /// A tag that the version must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Bounds of the version's metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Bounds>,
    /// Checks that the version must have passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
}

/// Bounds of a metric, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The smallest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// A model and what must happen to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Models {
    /// Its name.
    pub name: String,
    /// The alias that must move; none for a new version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Bounds of the version's metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, Bounds>,
}

/// Ends of another DAG's runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Runs {
    /// The other DAG.
    pub dag: String,
    /// Ends that count.
    pub states: Vec<String>,
}

/// A signed request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    /// The secret that signs, as `secret:NAME`.
    pub secret: String,
    /// Parameters by JSON pointer into the body.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

/// Messages of a queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Where it is, as `secret:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Parameters by JSON pointer into the message, or into the list of messages of a batch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Messages of one run, at most.
    pub batch: usize,
}

/// A dataset that must be newer than so long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Freshness {
    /// The dataset.
    pub dataset: String,
    /// So long.
    pub max_age: Seconds,
}

impl Condition {
    /// All conditions of a DAG, in the order of its file.
    #[must_use]
    pub fn of(dag: &Dag) -> Vec<Self> {
        let mut all = Vec::new();
        if let Some(on) = &dag.on {
            all.extend(
                many(on.schedule.as_ref()).map(|schedule| Self::Schedule(schedule_of(&schedule.value))),
            );
            all.extend(many(on.datasets.as_ref()).map(|group| Self::Datasets(datasets_of(&group.value))));
            all.extend(many(on.models.as_ref()).map(|model| Self::Models(model_of(&model.0))));
            all.extend(many(on.runs.as_ref()).map(|run| Self::Runs(runs_of(run))));
            all.extend(on.webhook.iter().map(|hook| {
                Self::Webhook(Webhook {
                    secret: hook.secret.0.clone(),
                    params: pointers(hook.params.as_ref()),
                })
            }));
            all.extend(many(on.queue.as_ref()).map(|queue| {
                Self::Queue(Queue {
                    name: queue.name.value.0.clone(),
                    url: queue.url.as_ref().map(|url| url.0.clone()),
                    params: pointers(queue.params.as_ref()),
                    batch: queue.batch.as_ref().map_or(1, |batch| batch.value as usize),
                })
            }));
        }
        for (dataset, entry) in dag.freshness.iter().flat_map(NameMap::iter) {
            all.push(Self::Freshness(Freshness {
                dataset: dataset.to_owned(),
                max_age: Seconds(entry.value.value.0),
            }));
        }
        all
    }

    /// The word for its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Schedule(_) => "schedule",
            Self::Datasets(_) => "datasets",
            Self::Models(_) => "models",
            Self::Runs(_) => "runs",
            Self::Webhook(_) => "webhook",
            Self::Queue(_) => "queue",
            Self::Freshness(_) => "freshness",
        }
    }

    /// Whether it asks for figures of the version that a label of this dataset or model moves to.
    #[must_use]
    pub fn judges(&self, kind: ArtifactKind, name: &str, label: &str) -> bool {
        match (self, kind) {
            (Self::Datasets(group), ArtifactKind::Dataset) => group.of.iter().any(|spec| {
                let bounds = !spec.metrics.is_empty() || !spec.checks.is_empty();
                bounds && spec.name == name && spec.tag.as_deref() == Some(label)
            }),
            (Self::Models(spec), ArtifactKind::Model) => {
                !spec.metrics.is_empty() && spec.name == name && spec.alias.as_deref() == Some(label)
            }
            _ => false,
        }
    }

    /// A name that stays while the condition does.
    #[must_use]
    pub fn id(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        let hash = blake3::hash(text.as_bytes()).to_hex();
        format!("{}-{}", self.kind(), hash.chars().take(10).collect::<String>())
    }
}

impl Bounds {
    /// Whether a value lies within.
    #[must_use]
    pub fn hold(&self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

fn many<T>(values: Option<&OneOrMany<T>>) -> impl Iterator<Item = &T> {
    values.into_iter().flat_map(|values| values.values.iter())
}

fn schedule_of(schedule: &model::Schedule) -> Schedule {
    let timezone = schedule
        .timezone
        .as_ref()
        .map_or_else(|| "UTC".to_owned(), |zone| zone.0.clone());
    let zone = TimeZone::get(&timezone).unwrap_or(TimeZone::UTC);
    let moment = |at: &MomentAt| match at {
        MomentAt::Instant(at) => Some(*at),
        MomentAt::Local(at) => zone.to_timestamp(*at).ok(),
    };
    Schedule {
        cron: schedule.cron.as_ref().map(|cron| cron.value.0.clone()),
        every: schedule.every.as_ref().map(|every| Seconds(every.value.0)),
        catchup: match schedule.catchup.unwrap_or_default() {
            Catchup::None => CatchUp::None,
            Catchup::Latest => CatchUp::Latest,
            Catchup::All => CatchUp::All,
        },
        start: schedule.start.as_ref().and_then(|start| moment(&start.value.0)),
        end: schedule.end.as_ref().and_then(|end| moment(&end.value.0)),
        jitter: schedule.jitter.as_ref().map(|jitter| Seconds(jitter.0)),
        timezone,
    }
}

fn datasets_of(group: &model::DatasetGroup) -> Datasets {
    let list = |list: &Option<Vec<model::DatasetCondition>>| {
        let conditions = list.iter().flatten();
        conditions
            .map(|condition| dataset_of(&condition.0))
            .collect::<Vec<_>>()
    };
    let (at_least, of) = match (&group.any, &group.all, &group.at_least) {
        (Some(_), ..) => (1, list(&group.any)),
        (None, Some(all), _) => (all.len(), list(&group.all)),
        (None, None, least) => (
            least.as_ref().map_or(1, |least| least.value as usize),
            list(&group.of),
        ),
    };
    Datasets {
        at_least,
        of,
        within: group.within.as_ref().map(|within| Seconds(within.0)),
        debounce: group.debounce.as_ref().map(|debounce| Seconds(debounce.0)),
    }
}

fn dataset_of(filter: &model::DatasetFilter) -> Dataset {
    Dataset {
        name: filter.name.value.0.clone(),
        min_changed_rows: filter.min_changed_rows,
        tag: filter.tag.as_ref().map(|tag| tag.0.clone()),
        metrics: bounds(filter.metrics.as_ref()),
        checks: filter.checks.clone().unwrap_or_default(),
    }
}

fn model_of(filter: &model::ModelFilter) -> Models {
    let moved =
        filter.event == Some(AliasEvent::AliasMoved) || filter.event.is_none() && filter.alias.is_some();
    Models {
        name: filter.name.value.0.clone(),
        alias: filter
            .alias
            .as_ref()
            .filter(|_| moved)
            .map(|alias| alias.0.clone()),
        metrics: bounds(filter.metrics.as_ref()),
    }
}

fn runs_of(run: &model::RunTrigger) -> Runs {
    let word = |end: &RunEnd| match end {
        RunEnd::Succeeded => "succeeded",
        RunEnd::Failed => "failed",
        RunEnd::Cancelled => "cancelled",
    };
    let states: Vec<String> = many(run.state.as_ref()).map(|end| word(end).to_owned()).collect();
    Runs {
        dag: run.dag.value.0.clone(),
        states: if states.is_empty() {
            vec!["succeeded".to_owned()]
        } else {
            states
        },
    }
}

fn bounds(map: Option<&NameMap<model::Bounds>>) -> BTreeMap<String, Bounds> {
    let entries = map.into_iter().flat_map(NameMap::iter);
    let bounds = |(name, entry): (&str, &twinloom_spec::Entry<model::Bounds>)| {
        let (min, max) = (entry.value.min, entry.value.max);
        (name.to_owned(), Bounds { min, max })
    };
    entries.map(bounds).collect()
}

fn pointers(map: Option<&NameMap<String>>) -> BTreeMap<String, String> {
    let entries = map.into_iter().flat_map(NameMap::iter);
    entries
        .map(|(name, entry)| (name.to_owned(), entry.value.clone()))
        .collect()
}
