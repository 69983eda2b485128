//! `search`: trials with drawn values, of which the best is taken.

use crate::{
    read::{NameMap, Spanned, choices, spec_struct},
    yaml::Node,
};

spec_struct! {
    /// A search for the best configuration: tasks with drawn values, compared by `select`.
    pub struct Search: "`search`" {
        /// How many configurations are drawn, at most 256.
        "random" => random: Spanned<u32>,
        /// Seed of the draws, 0 unless stated: the same file draws the same.
        "seed" => seed: Option<u64>,
        /// What is drawn, by name; `with:` reads it as `${{ search.NAME }}`.
        "over" => over: NameMap<Spanned<Range>>,
        /// Give all trials a small budget, and a larger one only to the best of them.
        "halving" => halving: Option<Spanned<Halving>>,
        /// Do not search again where an earlier run of the DAG has found the best of these trials.
        "reuse" => reuse: Option<Reuse>,
    }
}

spec_struct! {
    /// Where a value is drawn from: one of these.
    pub struct Range: "a range" {
        /// Two numbers: any number between them.
        "uniform" => uniform: Option<Vec<f64>>,
        /// Two numbers above 0: any number between them, each order of magnitude alike.
        "log_uniform" => log_uniform: Option<Vec<f64>>,
        /// Two whole numbers: any whole number from the first to the second.
        "integer" => integer: Option<Vec<f64>>,
        /// Any of these values.
        "choice" => choice: Option<Vec<Node>>,
    }
}

spec_struct! {
    /// Successive halving: rungs of a growing budget. A trial that reaches the next rung is made again from the start
    /// with the larger budget.
    pub struct Halving: "`halving`" {
        /// What the budget is called: `with:` reads it as `${{ search.NAME }}`.
        "budget" => budget: Spanned<String>,
        /// The budget of the first rung, such as a number of steps.
        "min" => min: Spanned<u32>,
        /// The budget of the last one.
        "max" => max: Spanned<u32>,
        /// The budget grows by this factor from rung to rung, and one in so many trials goes on; 3 unless stated.
        "factor" => factor: Option<Spanned<u32>>,
        /// Stop early: no further rung once the best of one is not better than that of the one before by more than this.
        "min_gain" => min_gain: Option<Spanned<f64>>,
    }
}

/// What an earlier run's search is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Reuse {
    /// Its best configuration is taken.
    Best,
    /// Nothing: the search is made anew, as far as its tasks are not cached.
    Never,
}

choices!(Reuse: "what is reused" { "best" => Best, "never" => Never, });
