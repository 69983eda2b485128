//! The operators that this worker runs.

use twinloom_sdk::{Registry, RowWise};

use crate::{
    embed, evaluate::EvaluateOperator, retrieve::RetrieveOperator, tokenizer::TokenizerOperator,
    train::TrainOperator,
};

/// The explicit list; configuration and ports of each live in the crate `twinloom-operators`.
#[must_use]
pub fn registry() -> Registry {
    Registry::new()
        .with(RowWise::new(embed::Embed))
        .with(EvaluateOperator)
        .with(RetrieveOperator)
        .with(TokenizerOperator)
        .with(TrainOperator)
}
