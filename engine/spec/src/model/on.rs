//! What starts a DAG.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{CronExpression, Label, Moment, Period, SecretRef, Timezone};
use crate::{
    read::{FromNode, NameMap, OneOrMany, Reader, Spanned, choices, spec_struct},
    yaml::{Data, Node},
};

spec_struct! {
    /// What starts the DAG, beside a person. Each that is stated does, on its own.
    pub struct On: "`on`" {
        /// Times.
        "schedule" => schedule: Option<OneOrMany<Spanned<Schedule>>>,
        /// New versions of datasets.
        "datasets" => datasets: Option<OneOrMany<Spanned<DatasetGroup>>>,
        /// New versions of models, or aliases that move.
        "models" => models: Option<OneOrMany<ModelCondition>>,
        /// Ends of runs of other DAGs.
        "runs" => runs: Option<OneOrMany<RunTrigger>>,
        /// A signed HTTP request.
        "webhook" => webhook: Option<WebhookTrigger>,
        /// Messages of a queue.
        "queue" => queue: Option<OneOrMany<QueueTrigger>>,
    }
}

/// What happens to schedule times that passed while nothing ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Catchup {
    /// They are dropped.
    #[default]
    None,
    /// The last one runs.
    Latest,
    /// Each runs, in order.
    All,
}

choices!(Catchup: "a way to catch up" { "none" => None, "latest" => Latest, "all" => All, });

spec_struct! {
    /// Times at which the DAG runs: `cron` or `every`.
    pub struct Schedule: "a schedule" {
        /// A cron expression, such as `0 6 * * *`, on the wall clock of the time zone. A time that the clocks leave out when
        /// they go forward runs right after the gap; one that comes twice when they go back runs once, unless the
        /// expression repeats within the hour.
        "cron" => cron: Option<Spanned<CronExpression>>,
        /// A fixed interval, such as `6h`: real time from `start`, or from 1970, whatever clocks do.
        "every" => every: Option<Spanned<Period>>,
        /// The time zone of the cron expression; UTC unless stated.
        "timezone" => timezone: Option<Timezone>,
        /// What happens to times that passed unseen, more than a minute ago; at most 1,000 are caught up.
        "catchup" => catchup: Option<Catchup>,
        /// No run before.
        "start" => start: Option<Spanned<Moment>>,
        /// No run after.
        "end" => end: Option<Spanned<Moment>>,
        /// Each run is put off by up to so long, the same for the same time.
        "jitter" => jitter: Option<Period>,
    }
}

spec_struct! {
    /// Datasets of which new versions start the DAG: one of `any`, `all`, or `at_least` with `of`.
    pub struct DatasetGroup: "`datasets`" {
        /// A new version of any of these.
        "any" => any: Option<Vec<DatasetCondition>>,
        /// New versions of all of these.
        "all" => all: Option<Vec<DatasetCondition>>,
        /// New versions of so many of those in `of`.
        "at_least" => at_least: Option<Spanned<u32>>,
        /// The datasets that `at_least` counts.
        "of" => of: Option<Vec<DatasetCondition>>,
        /// The versions must have come within this time of each other.
        "within" => within: Option<Period>,
        /// Wait until nothing new has come for so long.
        "debounce" => debounce: Option<Period>,
    }
}

spec_struct! {
    /// A dataset and what a version of it must fulfil.
    pub struct DatasetFilter: "a dataset condition" {
        /// The dataset.
        "name" => name: Spanned<Label>,
        /// Rows that must have changed since the last run.
        "min_changed_rows" => min_changed_rows: Option<u64>,
        /// A tag that the version must have.
        "tag" => tag: Option<Label>,
        /// Bounds of the version's metrics.
        "metrics" => metrics: Option<NameMap<Bounds>>,
        /// Checks that the version must have passed.
        "checks" => checks: Option<Vec<String>>,
    }
}

spec_struct! {
    /// Bounds of a metric.
    pub struct Bounds: "bounds (`min`, `max`)" {
        /// The smallest value.
        "min" => min: Option<f64>,
        /// The largest value.
        "max" => max: Option<f64>,
    }
}

/// A dataset, by name alone or with a filter.
#[derive(Debug, Clone)]
pub struct DatasetCondition(pub DatasetFilter);

/// Which event of a model starts the DAG.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum AliasEvent {
    /// A new version.
    #[default]
    Registered,
    /// The alias that is named points to another version.
    AliasMoved,
}

choices!(AliasEvent: "an event of a model" { "registered" => Registered, "alias_moved" => AliasMoved, });

spec_struct! {
    /// A model and what must happen to it.
    pub struct ModelFilter: "a model condition" {
        /// The model.
        "name" => name: Spanned<Label>,
        /// A new version, or an alias that moved.
        "event" => event: Option<AliasEvent>,
        /// The alias.
        "alias" => alias: Option<Label>,
        /// Bounds of the version's metrics.
        "metrics" => metrics: Option<NameMap<Bounds>>,
    }
}

/// A model, by name alone or with a filter.
#[derive(Debug, Clone)]
pub struct ModelCondition(pub ModelFilter);

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum RunEnd {
    /// All went well.
    Succeeded,
    /// A task failed for good.
    Failed,
    /// Someone cancelled it.
    Cancelled,
}

choices!(RunEnd: "an end of a run" { "succeeded" => Succeeded, "failed" => Failed, "cancelled" => Cancelled, });

spec_struct! {
    /// Ends of another DAG's runs.
    pub struct RunTrigger: "a run trigger" {
        /// The other DAG.
        "dag" => dag: Spanned<Label>,
        /// Ends that count; `succeeded` unless stated.
        "state" => state: Option<OneOrMany<RunEnd>>,
    }
}

spec_struct! {
    /// A signed HTTP request.
    pub struct WebhookTrigger: "`webhook`" {
        /// The secret that signs requests, as `secret:NAME`.
        "secret" => secret: SecretRef,
        /// Parameters taken from the request's JSON body, by JSON pointer.
        "params" => params: Option<NameMap<String>>,
    }
}

spec_struct! {
    /// Messages of a queue.
    pub struct QueueTrigger: "a queue" {
        /// The queue.
        "name" => name: Spanned<Label>,
        /// Where it is, as `secret:NAME`; `secret:AMQP_URL` unless stated.
        "url" => url: Option<SecretRef>,
        /// Parameters taken from the message's JSON, by JSON pointer.
        "params" => params: Option<NameMap<String>>,
        /// Messages of one run, at most.
        "batch" => batch: Option<Spanned<u32>>,
    }
}

/// `NAME` stands for `{name: NAME}`.
macro_rules! by_name {
    ($outer:ident($inner:ident): $expected:literal, $($field:ident),+) => {
        impl FromNode for $outer {
            const EXPECTED: &'static str = $expected;

            fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                if matches!(node.data, Data::String(_)) {
                    let name = Spanned::from_node(node, reader)?;
                    return Some(Self($inner { name, $($field: None),+ }));
                }
                $inner::from_node(node, reader).map(Self)
            }
        }

        impl JsonSchema for $outer {
            fn schema_name() -> Cow<'static, str> {
                stringify!($outer).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "anyOf": [generator.subschema_for::<Label>(), generator.subschema_for::<$inner>()]
                })
            }
        }
    };
}

by_name!(DatasetCondition(DatasetFilter): "a dataset's name or a mapping with `name`", min_changed_rows, tag, metrics, checks);
by_name!(ModelCondition(ModelFilter): "a model's name or a mapping with `name`", event, alias, metrics);
