//! Tiny operators that really do something, for tests, the test bed and the bench.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arrow::{
    array::{Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
};
use async_trait::async_trait;
use futures::TryStreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinloom_sdk::{
    AliasMove, ApprovalRequest, Context, Done, OnTimeout, Operator, OperatorError, OperatorInfo, Outcome,
    Registry, Runs,
};
use twinloom_spec::{PortKind, PortSignature};
use twinloom_store::ReadOptions;

/// All of them.
pub fn registry() -> Registry {
    Registry::new()
        .with(Rows {
            name: "rows",
            cacheable: true,
        })
        .with(Rows {
            name: "look",
            cacheable: false,
        })
        .with(Upper)
        .with(Note)
        .with(Idle)
        .with(Flaky)
        .with(Nap)
        .with(Ask)
        .with(Compare)
        .with(Fit)
        .with(Promote)
}

fn port(name: &str, kind: PortKind) -> PortSignature {
    PortSignature {
        name: name.into(),
        kind,
        doc: String::new(),
        columns: Vec::new(),
        optional: false,
        many: false,
    }
}

fn info(name: &'static str, inputs: Vec<PortSignature>, outputs: Vec<PortSignature>) -> OperatorInfo {
    let (version, summary) = ("1", "For tests.");
    OperatorInfo {
        name,
        version,
        summary,
        inputs,
        outputs,
        open_ports: false,
        runs: Runs::Inline,
        cacheable: true,
    }
}

fn batch(texts: impl IntoIterator<Item = (String, String)>) -> Result<RecordBatch, OperatorError> {
    let fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("text", DataType::Utf8, false),
    ];
    let (ids, texts): (Vec<_>, Vec<_>) = texts.into_iter().unzip();
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(StringArray::from(ids)),
        Arc::new(StringArray::from(texts)),
    ];
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

async fn stage(context: &Context, rows: RecordBatch) -> Result<Outcome, OperatorError> {
    let count = rows.num_rows();
    let mut writer = context.stage_dataset("out", rows.schema(), &["id"])?;
    writer.write(rows).await?;
    Ok(Done::new()
        .metric("rows", count)
        .dataset("out", writer.finish().await?)
        .into())
}

/// Makes rows: `rows` may be cached, `look` may not.
struct Rows {
    name: &'static str,
    cacheable: bool,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct RowsConfig {
    texts: Vec<String>,
}

#[async_trait]
impl Operator for Rows {
    type Config = RowsConfig;

    fn info(&self) -> OperatorInfo {
        let info = info(self.name, vec![], vec![port("out", PortKind::Dataset)]);
        OperatorInfo {
            cacheable: self.cacheable,
            ..info
        }
    }

    async fn run(&self, context: &Context, config: RowsConfig) -> Result<Outcome, OperatorError> {
        let texts = config
            .texts
            .into_iter()
            .enumerate()
            .map(|(row, text)| (format!("row-{row}"), text));
        stage(context, batch(texts)?).await
    }
}

/// Puts every text of its inputs into capitals.
struct Upper;

#[derive(Serialize, Deserialize, JsonSchema)]
struct UpperConfig {
    #[serde(default)]
    suffix: String,
}

#[async_trait]
impl Operator for Upper {
    type Config = UpperConfig;

    fn info(&self) -> OperatorInfo {
        let mut input = port("rows", PortKind::Dataset);
        input.many = true;
        info("upper", vec![input], vec![port("out", PortKind::Dataset)])
    }

    async fn run(&self, context: &Context, config: UpperConfig) -> Result<Outcome, OperatorError> {
        let mut rows = BTreeMap::new();
        for (place, input) in context.inputs("rows").iter().enumerate() {
            let manifest = context.store().dataset_exact(&input.id).await?;
            let mut batches = context.store().read(&manifest, ReadOptions::default());
            while let Some(batch) = batches.try_next().await? {
                let column = |at: usize| batch.column(at).as_any().downcast_ref::<StringArray>().cloned();
                let (Some(ids), Some(texts)) = (column(0), column(1)) else {
                    continue;
                };
                for (id, text) in ids.iter().flatten().zip(texts.iter().flatten()) {
                    rows.insert(
                        format!("{place}-{id}"),
                        format!("{}{}", text.to_uppercase(), config.suffix),
                    );
                }
            }
        }
        stage(context, batch(rows)?).await
    }
}

/// Publishes nothing; its configuration is its metrics.
struct Note;

#[derive(Serialize, Deserialize, JsonSchema)]
struct NoteConfig {
    #[serde(flatten)]
    metrics: BTreeMap<String, Value>,
}

#[async_trait]
impl Operator for Note {
    type Config = NoteConfig;

    fn info(&self) -> OperatorInfo {
        let mut input = port("rows", PortKind::Dataset);
        (input.many, input.optional) = (true, true);
        OperatorInfo {
            cacheable: false,
            ..info("note", vec![input], vec![])
        }
    }

    async fn run(&self, context: &Context, config: NoteConfig) -> Result<Outcome, OperatorError> {
        context.info("noted");
        context.metric("noted", 1.0, Some(3));
        let mut done = Done::new().metric("inputs", context.inputs("rows").len());
        for (name, value) in config.metrics {
            done = done.metric(&name, value);
        }
        Ok(done.into())
    }
}

/// Does nothing at all.
struct Idle;

#[derive(Serialize, Deserialize, JsonSchema)]
struct IdleConfig {}

#[async_trait]
impl Operator for Idle {
    type Config = IdleConfig;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            cacheable: false,
            ..info("idle", vec![], vec![])
        }
    }

    async fn run(&self, _context: &Context, _config: IdleConfig) -> Result<Outcome, OperatorError> {
        Ok(Done::new().into())
    }
}

/// Fails until its `succeed_at`th attempt, in the way that `how` says.
struct Flaky;

#[derive(Serialize, Deserialize, JsonSchema)]
struct FlakyConfig {
    succeed_at: u32,
    #[serde(default)]
    how: String,
}

#[async_trait]
impl Operator for Flaky {
    type Config = FlakyConfig;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            cacheable: false,
            ..info("flaky", vec![], vec![port("out", PortKind::Dataset)])
        }
    }

    async fn run(&self, context: &Context, config: FlakyConfig) -> Result<Outcome, OperatorError> {
        let attempt = context.task().attempt;
        if attempt >= config.succeed_at {
            return stage(context, batch([("a".to_owned(), "done".to_owned())])?).await;
        }
        Err(match config.how.as_str() {
            "crash" => std::process::abort(),
            "data" => OperatorError::data("test.data", "the data is bad", "Mend it."),
            "hang" => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                OperatorError::bug("test.awake", "it was to be stopped")
            }
            _ => OperatorError::retry("test.flaky", format!("attempt {attempt} failed"), "Wait."),
        })
    }
}

/// Sleeps, and stops when it is cancelled.
struct Nap;

#[derive(Serialize, Deserialize, JsonSchema)]
struct NapConfig {
    ms: u64,
}

#[async_trait]
impl Operator for Nap {
    type Config = NapConfig;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            cacheable: false,
            ..info("nap", vec![], vec![])
        }
    }

    async fn run(&self, context: &Context, config: NapConfig) -> Result<Outcome, OperatorError> {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(config.ms)) => Ok(Done::new().into()),
            () = context.cancellation().cancelled() => {
                context.check_cancelled()?;
                Ok(Done::new().into())
            }
        }
    }
}

/// Asks a person.
struct Ask;

#[derive(Serialize, Deserialize, JsonSchema)]
struct AskConfig {
    #[serde(default)]
    timeout_ms: Option<u64>,
    #[serde(default)]
    on_timeout: OnTimeout,
    #[serde(default)]
    approvers: Vec<String>,
    #[serde(default)]
    required: Option<u32>,
}

#[async_trait]
impl Operator for Ask {
    type Config = AskConfig;

    fn info(&self) -> OperatorInfo {
        let mut input = port("model", PortKind::Model);
        input.optional = true;
        OperatorInfo {
            cacheable: false,
            ..info("ask", vec![input], vec![])
        }
    }

    async fn run(&self, context: &Context, config: AskConfig) -> Result<Outcome, OperatorError> {
        match context.decision() {
            None => Ok(Outcome::Wait(ApprovalRequest {
                question: "Is it good?".to_owned(),
                approvers: config.approvers,
                required: config.required.unwrap_or(1),
                timeout: config.timeout_ms.map(Duration::from_millis),
                on_timeout: config.on_timeout,
                evidence: serde_json::json!({ "inputs": context.inputs("model").len() }),
            })),
            Some(decision) if decision.approved => Ok(Done::new().metric("by", decision.by.as_str()).into()),
            Some(decision) => {
                let message = format!("{} said no", decision.by);
                Err(OperatorError::data("test.rejected", message, "Ask again."))
            }
        }
    }
}

/// Counts what it is to compare its rows with.
struct Compare;

#[derive(Serialize, Deserialize, JsonSchema)]
struct CompareConfig {}

#[async_trait]
impl Operator for Compare {
    type Config = CompareConfig;

    fn info(&self) -> OperatorInfo {
        let mut other = port("other", PortKind::Dataset);
        other.optional = true;
        info("compare", vec![port("rows", PortKind::Dataset), other], vec![])
    }

    async fn run(&self, context: &Context, _config: CompareConfig) -> Result<Outcome, OperatorError> {
        Ok(Done::new().metric("others", context.inputs("other").len()).into())
    }
}

/// Registers a model whose one file holds its inputs' rows.
struct Fit;

#[derive(Serialize, Deserialize, JsonSchema)]
struct FitConfig {
    rate: f64,
    #[serde(default)]
    steps: Option<u32>,
}

#[async_trait]
impl Operator for Fit {
    type Config = FitConfig;

    fn info(&self) -> OperatorInfo {
        info(
            "fit",
            vec![port("rows", PortKind::Dataset)],
            vec![port("model", PortKind::Model)],
        )
    }

    async fn run(&self, context: &Context, config: FitConfig) -> Result<Outcome, OperatorError> {
        let rows = context.dataset("rows").await?.data.rows;
        if config.rate > 0.9 {
            return Err(OperatorError::config(
                "fit.diverged",
                "the rate is too high",
                "Lower it.",
            ));
        }
        let settings = serde_json::json!({ "rate": config.rate });
        let mut writer =
            context.stage_model("model", None, settings, "A card.".to_owned(), BTreeMap::new())?;
        let weights = format!("{rows} rows at {} from seed {}", config.rate, context.seed());
        writer
            .add_bytes("weights.txt", weights.into_bytes().into())
            .await?;
        for step in 0..3_u32 {
            context.metric("loss", 1.0 / f64::from(step + 1), Some(u64::from(step)));
        }
        let loss = (config.rate - 0.2).abs() + config.steps.map_or(0.0, |steps| 1.0 / f64::from(steps));
        Ok(Done::new()
            .metric("loss", loss)
            .model("model", writer.finish().await?)
            .into())
    }
}

/// Points the alias `production` at its model.
struct Promote;

#[derive(Serialize, Deserialize, JsonSchema)]
struct PromoteConfig {}

#[async_trait]
impl Operator for Promote {
    type Config = PromoteConfig;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            cacheable: false,
            ..info("promote", vec![port("model", PortKind::Model)], vec![])
        }
    }

    async fn run(&self, context: &Context, _config: PromoteConfig) -> Result<Outcome, OperatorError> {
        let id = &context.input("model")?.id;
        let (model, alias, by, reason) = (
            id.name.clone(),
            "production".into(),
            "test".into(),
            "it is good".into(),
        );
        Ok(Done::new()
            .alias(AliasMove {
                model,
                alias,
                version: id.version,
                by,
                reason,
            })
            .into())
    }
}
