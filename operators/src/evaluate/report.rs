//! The report as a document: what `report.json` holds and the page shows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that a person decides on. It holds no time and no run, so that the same evaluation gives the same report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What is judged: `twin@3`.
    pub candidate: String,
    /// What it is compared with.
    pub base: String,
    /// What is in use, where something else is.
    pub production: Option<String>,
    /// Whether every threshold holds.
    pub passed: bool,
    /// The thresholds.
    pub checks: Vec<CheckLine>,
    /// All figures, as in the dataset.
    pub figures: Vec<FigureLine>,
    /// The candidate's learning curve: held-out loss by step.
    pub curve: Vec<(f64, f64)>,
    /// What was written to held-out instructions.
    pub samples: Vec<SampleLine>,
    /// Base's loss less the candidate's by document, those that differ most.
    pub documents: Vec<(String, f64)>,
    /// The continuation that stands most in the training text.
    pub most_recited: Option<String>,
    /// Documents with leaked rows, which were left out.
    pub leaked: Vec<String>,
    /// Rows: held out, measured, leaked, of training.
    pub rows: Rows,
    /// What was evaluated with: names and versions by port.
    pub inputs: Vec<(String, String)>,
    /// The share that intervals cover.
    pub confidence: f64,
    /// The step's configuration.
    pub config: Value,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// Held out.
    pub held_out: usize,
    /// Measured.
    pub measured: usize,
    /// Left out as leaked.
    pub leaked: usize,
    /// Trained on.
    pub training: usize,
}

/// A threshold and its figure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckLine {
    /// Its key below `gate:`.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// The threshold.
    pub threshold: f64,
    /// Whether it holds.
    pub passed: bool,
    /// In words.
    pub why: String,
}

/// A figure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FigureLine {
    /// What was measured.
    pub metric: String,
    /// Of what.
    pub subject: String,
    /// The figure.
    pub value: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
    /// Its threshold, and whether that holds.
    pub check: Option<(f64, bool)>,
    /// More.
    pub evidence: Option<Value>,
}

/// One instruction, and what each wrote to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleLine {
    /// What was asked.
    pub instruction: String,
    /// What the author wrote.
    pub author: String,
    /// What each model wrote, by subject: base, candidate, production.
    pub written: Vec<(String, String)>,
}

impl Report {
    /// The figure of a metric and subject.
    #[must_use]
    pub fn figure(&self, metric: &str, subject: &str) -> Option<&FigureLine> {
        self.figures
            .iter()
            .find(|figure| figure.metric == metric && figure.subject == subject)
    }
}
