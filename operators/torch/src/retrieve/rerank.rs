//! Found chunks in the order of a cross-encoder, which reads question and chunk together.

use twinloom_operators::retrieve::Config;
use twinloom_sdk::OperatorError;

use super::{Found, Query};
use crate::{
    device,
    embed::model_dir,
    rerank::{Reranker, RerankerOptions},
};

/// The best `k` of each query's chunks, with the reranker's scores; what was found where there is none.
pub async fn rerank(
    config: &Config,
    queries: &[Query],
    found: Vec<Vec<Found>>,
) -> Result<Vec<Vec<Found>>, OperatorError> {
    let Some(model) = config.reranker.clone() else {
        return Ok(found);
    };
    let options = RerankerOptions {
        device: device::parse(&config.device)?,
        ..RerankerOptions::default()
    };
    let (texts, k): (Vec<String>, usize) =
        (queries.iter().map(|query| query.text.clone()).collect(), config.k);
    tokio::task::spawn_blocking(move || {
        let reranker = Reranker::open(&model_dir(&model)?, options)?;
        let one = |(query, found): (&String, Vec<Found>)| {
            let chunks: Vec<&str> = found.iter().map(|found| found.text.as_str()).collect();
            let scored = reranker.score(query, &chunks)?;
            let best = scored.order().into_iter().take(k);
            let with_score = |index: usize| {
                let (found, score) = (found.get(index)?, scored.scores.get(index)?);
                Some(Found {
                    score: *score,
                    ..found.clone()
                })
            };
            Ok(best.filter_map(with_score).collect())
        };
        texts.iter().zip(found).map(one).collect()
    })
    .await?
}
