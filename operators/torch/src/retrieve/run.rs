//! The operator `retrieve`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Int32Array, RecordBatch, StringArray};
use async_trait::async_trait;
use serde_json::Value;
use twinloom_operators::{
    embed::{EMBEDDER, identity},
    retrieve::{Config, hits, info},
};
use twinloom_sdk::{Context, Done, MADE_WITH, Operator, OperatorError, OperatorInfo, Outcome};

use super::{Found, Query, collection, exact, queries::queries};
use crate::{
    device,
    embed::{Embedder, EmbedderOptions, Role, embedder_dir},
};

/// Searches.
pub struct RetrieveOperator;

#[async_trait]
impl Operator for RetrieveOperator {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        info()
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        config.check()?;
        let queries = queries(context, &config).await?;
        if queries.is_empty() {
            return Err(OperatorError::data(
                "retrieve.no_queries",
                "there are no questions, and no chunk has a sentence to ask with",
                "Give `queries`, or connect chunks with some text.",
            ));
        }
        let vectors = embed(context, &config, &queries).await?;
        let found = match &config.collection {
            Some(collection) => collection::search(context, collection, &vectors, config.searched()).await?,
            None => exact::search(context, &vectors, config.searched()).await?,
        };
        let found = super::rerank::rerank(&config, &queries, found).await?;
        let mut writer = context.stage_dataset("hits", hits(), &["query", "rank"])?;
        writer.write(rows(&queries, &found)?).await?;
        let staged = writer.finish().await?;
        let mut done = Done::new().metric("queries", queries.len());
        let known: Vec<(&Query, &Vec<Found>)> = queries
            .iter()
            .zip(&found)
            .filter(|(query, _)| query.expected.is_some())
            .collect();
        if !known.is_empty() {
            let recall = |k: usize| share(known.iter().map(|(query, found)| holds(query, found, k)));
            let (first, all) = (recall(1), recall(config.k));
            context.info(format!(
                "{} self-queries: {:.0}% find their document first, {:.0}% among the first {}",
                known.len(),
                first * 100.0,
                all * 100.0,
                config.k
            ));
            done = done
                .metric("self_queries", known.len())
                .metric("recall_at_1", first);
            done = done
                .metric(&format!("recall_at_{}", config.k), all)
                .metric("recall", all);
            refuse_low(&config, all)?;
        }
        Ok(done.dataset("hits", staged).into())
    }
}

async fn embed(
    context: &Context,
    config: &Config,
    queries: &[Query],
) -> Result<Vec<Vec<f32>>, OperatorError> {
    let chunks = context.dataset("chunks").await?;
    let made_with = chunks.data.metrics.get(MADE_WITH).and_then(Value::as_str);
    let made_with = made_with.map(str::to_owned);
    let options = EmbedderOptions {
        device: device::parse(&config.device)?,
        role: Role::Query,
        ..EmbedderOptions::default()
    };
    let texts: Vec<String> = queries.iter().map(|query| query.text.clone()).collect();
    let model = config.model.clone();
    tokio::task::spawn_blocking(move || {
        let dir = embedder_dir(model.as_deref())?;
        if made_with.is_some_and(|wanted| identity(&dir).is_some_and(|own| own != wanted)) {
            return Err(other_embedder());
        }
        let embedder = Embedder::open(&dir, options)?;
        let embedded = embedder.embed(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(embedded
            .vectors
            .chunks_exact(embedded.dimension.max(1))
            .map(<[f32]>::to_vec)
            .collect())
    })
    .await?
}

/// Vectors of two models of one dimension can be compared, and mean nothing together.
fn other_embedder() -> OperatorError {
    OperatorError::config(
        "retrieve.embedder",
        "the chunks were embedded by another model than the questions would be",
        format!(
            "Set `model` to the embedder of the step `embed`, or {EMBEDDER} to what it was when that step ran."
        ),
    )
}

fn holds(query: &Query, found: &[Found], k: usize) -> bool {
    found
        .iter()
        .take(k)
        .any(|found| Some(&found.document) == query.expected.as_ref())
}

#[expect(clippy::cast_precision_loss, reason = "a count of queries")]
fn share(held: impl Iterator<Item = bool>) -> f64 {
    let (hits, all) = held.fold((0_usize, 0_usize), |(hits, all), held| {
        (hits + usize::from(held), all + 1)
    });
    if all == 0 { 0.0 } else { hits as f64 / all as f64 }
}

fn refuse_low(config: &Config, recall: f64) -> Result<(), OperatorError> {
    match config.min_recall {
        Some(wanted) if recall < wanted => Err(OperatorError::data(
            "retrieve.recall",
            format!(
                "{:.1}% of self-queries find their document, {:.1}% are wanted",
                recall * 100.0,
                wanted * 100.0
            ),
            "Look at the hits; check that chunks and queries have the same embedder, or lower `min_recall`.",
        )),
        _ => Ok(()),
    }
}

fn rows(queries: &[Query], found: &[Vec<Found>]) -> Result<RecordBatch, OperatorError> {
    let all = || {
        queries
            .iter()
            .zip(found)
            .flat_map(|(query, found)| (1..).zip(found).map(move |hit| (query, hit)))
    };
    let text = |get: fn(&Query, &Found) -> Option<String>| -> ArrayRef {
        Arc::new(
            all()
                .map(|(query, (_, found))| get(query, found))
                .collect::<StringArray>(),
        )
    };
    Ok(RecordBatch::try_new(
        hits(),
        vec![
            text(|query, _| Some(query.text.clone())),
            Arc::new(all().map(|(_, (rank, _))| rank).collect::<Int32Array>()),
            text(|_, found| Some(found.document.clone())),
            Arc::new(all().map(|(_, (_, found))| found.chunk).collect::<Int32Array>()),
            Arc::new(all().map(|(_, (_, found))| found.score).collect::<Float32Array>()),
            text(|_, found| found.title.clone()),
            text(|_, found| found.link.clone()),
            text(|_, found| Some(found.text.clone())),
            text(|query, _| query.expected.clone()),
        ],
    )?)
}
