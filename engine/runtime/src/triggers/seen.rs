//! Events of the log as triggers see them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use twinloom_meta::{EventRow, event};
use twinloom_store::{ArtifactKind, Reference, StoreError};

use crate::Engine;

/// An event that may concern a trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Its place in the log.
    pub id: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: What,
    /// The run that caused it.
    pub run: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A dataset has a new version, or a version has got a tag.
    Dataset(Version, Option<String>),
    /// A model has a new version, or an alias has moved to one.
    Model(Version, Option<String>),
    /// A run has ended.
    RunEnded {
        /// Its DAG.
        dag: String,
        /// How.
        state: String,
    },
    /// A signed request came for a DAG.
    Webhook(String),
    /// A message came of a queue.
    Message(String),
    /// A DAG is paused, or goes on.
    Paused(String, bool),
}

/// A version of a dataset or model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Version {
    /// The dataset's or model's name.
    pub name: String,
    /// Its number.
    pub version: u64,
    /// Rows that differ from the version before; all, where there is none.
    pub changed: u64,
    /// Its figures.
    pub metrics: BTreeMap<String, f64>,
    /// Its checks, each with whether it passed.
    pub checks: BTreeMap<String, bool>,
}

impl Seen {
    /// What an event is to triggers; none where it concerns none. The figures of a version that got a label are looked
    /// up where `judged` says that some trigger asks for them.
    ///
    /// # Errors
    /// The store's, where it may answer later.
    pub async fn of(
        row: &EventRow,
        engine: &Engine,
        judged: impl Fn(ArtifactKind, &str, &str) -> bool,
    ) -> Result<Option<Self>, StoreError> {
        let Some(mut seen) = Self::said(row) else {
            return Ok(None);
        };
        let (kind, version, label) = match &mut seen.what {
            What::Dataset(version, Some(tag)) => (ArtifactKind::Dataset, version, tag),
            What::Model(version, Some(alias)) => (ArtifactKind::Model, version, alias),
            _ => return Ok(Some(seen)),
        };
        if judged(kind, &version.name, label) {
            look_up(kind, version, engine).await?;
        }
        Ok(Some(seen))
    }

    /// What the event itself says.
    fn said(row: &EventRow) -> Option<Self> {
        let payload = &row.payload;
        let text = |key: &str| payload.get(key).and_then(Value::as_str).map(str::to_owned);
        let what = match row.kind.as_str() {
            event::DATASET_PUBLISHED => What::Dataset(version(payload), None),
            event::MODEL_REGISTERED => What::Model(version(payload), None),
            event::ALIAS_MOVED => moved(row)?,
            event::RUN_ENDED => What::RunEnded {
                dag: text("dag")?,
                state: text("state")?,
            },
            event::WEBHOOK_RECEIVED => What::Webhook(row.subject.clone()),
            event::QUEUE_MESSAGE => What::Message(row.subject.clone()),
            event::DAG_PAUSED => What::Paused(row.subject.clone(), true),
            event::DAG_RESUMED => What::Paused(row.subject.clone(), false),
            _ => return None,
        };
        let run = match row.kind.as_str() {
            event::RUN_ENDED => Some(row.subject.clone()),
            _ => text("run"),
        };
        Some(Self {
            id: row.id,
            at: row.at,
            what,
            run,
        })
    }
}

/// An alias or tag that moved.
fn moved(row: &EventRow) -> Option<What> {
    let (name, label) = row.subject.rsplit_once('@')?;
    // Rows were counted when the version was published.
    let version = Version {
        name: name.to_owned(),
        version: row.payload.get("version")?.as_u64()?,
        ..Version::default()
    };
    let is_dataset = row.payload.get("kind").and_then(Value::as_str) == Some("dataset");
    let label = Some(label.to_owned());
    Some(if is_dataset {
        What::Dataset(version, label)
    } else {
        What::Model(version, label)
    })
}

/// Fills in the figures of a version: it never changes, so they may be looked up late. One that is gone has none.
async fn look_up(kind: ArtifactKind, known: &mut Version, engine: &Engine) -> Result<(), StoreError> {
    let Ok(reference) = format!("{}@{}", known.name, known.version).parse::<Reference>() else {
        return Ok(());
    };
    let store = &engine.config().store;
    let data = match kind {
        ArtifactKind::Dataset => store
            .dataset(&reference)
            .await
            .map(|found| json!({ "metrics": found.data.metrics, "checks": found.data.checks })),
        ArtifactKind::Model => store
            .model(&reference)
            .await
            .map(|found| json!({ "metrics": found.data.metrics })),
    };
    match data {
        Ok(data) => {
            let found = version(&data);
            (known.metrics, known.checks) = (found.metrics, found.checks);
            Ok(())
        }
        // Credentials that have run out are renewed some time, and the event would be lost until then.
        Err(error) if error.retryable() || matches!(error, StoreError::Denied { .. }) => Err(error),
        Err(error) => {
            tracing::warn!(version = %reference, %error, "a version is judged without its figures");
            Ok(())
        }
    }
}

fn version(payload: &Value) -> Version {
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_u64);
    let changes = payload.get("changes").filter(|changes| changes.is_object());
    let changed = match changes {
        Some(changes) => ["added", "changed", "removed"]
            .iter()
            .filter_map(|key| number(changes, key))
            .fold(0, u64::saturating_add),
        None => number(payload, "rows").unwrap_or_default(),
    };
    let metrics = payload.get("metrics").and_then(Value::as_object);
    let metrics = metrics
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_f64().or(value.as_bool().map(f64::from))?)))
        .collect();
    let checks = payload.get("checks").and_then(Value::as_object);
    let check = |(name, passed): (&String, &Value)| Some((name.clone(), passed.as_bool()?));
    Version {
        name: payload
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        version: number(payload, "version").unwrap_or_default(),
        changed,
        metrics,
        checks: checks.into_iter().flatten().filter_map(check).collect(),
    }
}
