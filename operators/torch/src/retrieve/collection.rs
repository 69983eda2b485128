//! A collection of the vector index.

use serde_json::Value;
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::{
    Name,
    vectors::{Hit, VectorIndex, open_embedded},
};

use super::Found;

/// The `k` best chunks of each query vector, best first.
///
/// # Errors
/// `retrieve.collection` when it is empty or cannot be read.
pub async fn search(
    context: &Context,
    collection: &str,
    vectors: &[Vec<f32>],
    k: usize,
) -> Result<Vec<Vec<Found>>, OperatorError> {
    let failed = |why: String| {
        OperatorError::data(
            "retrieve.collection",
            format!(
                "the collection `{}` cannot be searched: {why}",
                collection.escape_debug()
            ),
            "Put a step with `uses: index` and the same `collection` before this one (`after:`).",
        )
    };
    let name = Name::new(collection).map_err(|error| failed(error.to_string()))?;
    let folder = context.vectors().join(name.as_str());
    if !folder.is_dir() {
        return Err(failed("there is none of that name".to_owned()));
    }
    let index = open_embedded(&folder).map_err(|error| failed(error.to_string()))?;
    let state = index.state().await.map_err(|error| failed(error.to_string()))?;
    let wanted = &context.input("chunks")?.id;
    if state.source.as_ref() != Some(wanted) {
        let reflects = state
            .source
            .map_or_else(|| "nothing".to_owned(), |id| id.to_string());
        context.warn(format!("the collection reflects {reflects}, not {wanted}"));
    }
    let mut all = Vec::new();
    for vector in vectors {
        context.check_cancelled()?;
        let hits = index
            .search(vector, k, None)
            .await
            .map_err(|error| failed(error.to_string()))?;
        all.push(hits.into_iter().map(found).collect());
    }
    Ok(all)
}

fn found(hit: Hit) -> Found {
    let text = |name: &str| hit.payload.get(name).and_then(Value::as_str).map(str::to_owned);
    let chunk = hit.id.rsplit_once('#').and_then(|(_, chunk)| chunk.parse().ok());
    Found {
        chunk: chunk.unwrap_or_default(),
        score: hit.score,
        title: text("title"),
        link: text("link"),
        text: text("text").unwrap_or_default(),
        document: hit.entity,
    }
}
