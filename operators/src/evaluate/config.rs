//! What `with:` of `evaluate` holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::OperatorError;

/// Configuration of `evaluate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of a Hugging Face checkpoint to compare with, instead of the input `base`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    pub device: String,
    /// CPU threads.
    #[schemars(range(min = 1, max = 1024))]
    pub threads: u32,
    /// Longest sequence in tokens; longer rows are cut at the end.
    #[schemars(range(min = 16, max = 131_072))]
    pub context: usize,
    /// Held-out rows that are measured, spread over all documents.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_rows: usize,
    /// Resamples of the bootstrap.
    #[schemars(range(min = 100, max = 100_000))]
    pub resamples: usize,
    /// Share that an interval covers.
    #[schemars(range(min = 0.5, max = 0.999))]
    pub confidence: f64,
    /// Whether held-out text occurs in the training text.
    pub leakage: Leakage,
    /// Whether the candidate recites its training text.
    pub memorisation: Memorisation,
    /// How near its writing is to the author's.
    pub style: Style,
    /// What a candidate has to reach.
    pub gate: Gate,
}

/// The leakage check. It refuses before anything is measured: a leaked split makes every figure worthless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Leakage {
    /// Words in a row that count as the same text.
    #[schemars(range(min = 3, max = 100))]
    pub ngram: usize,
    /// A held-out row is leaked when this share of its n-grams occurs in training answers.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub row_overlap: f64,
    /// Share of held-out rows that may be leaked; leaked ones are not measured.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_share: f64,
}

/// The memorisation probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Memorisation {
    /// Training rows that the candidate is asked to continue; 0 leaves the probe out.
    #[schemars(range(max = 10_000))]
    pub probes: usize,
    /// Tokens of the answer that it is given.
    #[schemars(range(min = 1, max = 4096))]
    pub prompt_tokens: usize,
    /// Tokens that it writes, greedily.
    #[schemars(range(min = 1, max = 4096))]
    pub continuation_tokens: usize,
}

/// The style measurement: frequencies of function words and punctuation, against the author's distance from themself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// Held-out instructions that base and candidate answer; 0 leaves the measurement out.
    #[schemars(range(max = 10_000))]
    pub samples: usize,
    /// Tokens of an answer.
    #[schemars(range(min = 1, max = 4096))]
    pub tokens: usize,
    /// Temperature of the answers.
    #[schemars(range(min = 0.0, max = 5.0))]
    pub temperature: f64,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            samples: 8,
            tokens: 96,
            temperature: 0.8,
        }
    }
}

/// Thresholds; a candidate passes when all hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gate {
    /// Held-out loss of base less that of the candidate, in nats a token: the interval's lower end must lie above.
    pub min_improvement: f64,
    /// Held-out bits a byte of the candidate less those of production: the interval's upper end must not lie above.
    pub max_regression: f64,
    /// Longest span of a continuation that stands in the training text, as a share of the continuation, median over
    /// the probes.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_recited_share: f64,
    /// Held-out documents that the comparison needs.
    pub min_documents: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_path: None,
            device: "auto".to_owned(),
            threads: 2,
            context: 512,
            max_rows: 256,
            resamples: 2000,
            confidence: 0.95,
            leakage: Leakage::default(),
            memorisation: Memorisation::default(),
            style: Style::default(),
            gate: Gate::default(),
        }
    }
}

impl Default for Leakage {
    fn default() -> Self {
        Self {
            ngram: 13,
            row_overlap: 0.5,
            max_share: 0.5,
        }
    }
}

impl Default for Memorisation {
    fn default() -> Self {
        Self {
            probes: 8,
            prompt_tokens: 16,
            continuation_tokens: 48,
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            min_improvement: 0.0,
            max_regression: 0.05,
            max_recited_share: 0.5,
            min_documents: 2,
        }
    }
}

impl Config {
    /// Checks the bounds that the schema states.
    ///
    /// # Errors
    /// `evaluate.config`, naming the key.
    pub fn check(&self) -> Result<(), OperatorError> {
        let (leakage, probe, share) = (&self.leakage, &self.memorisation, 0.0..=1.0);
        let bounds: [(&str, bool, &str); 15] = [
            ("threads", (1..=1024).contains(&self.threads), "1 to 1024"),
            ("context", (16..=131_072).contains(&self.context), "16 to 131072"),
            (
                "max_rows",
                (1..=1_000_000).contains(&self.max_rows),
                "1 to 1000000",
            ),
            (
                "resamples",
                (100..=100_000).contains(&self.resamples),
                "100 to 100000",
            ),
            (
                "confidence",
                (0.5..=0.999).contains(&self.confidence),
                "0.5 to 0.999",
            ),
            ("leakage.ngram", (3..=100).contains(&leakage.ngram), "3 to 100"),
            (
                "leakage.row_overlap",
                share.contains(&leakage.row_overlap),
                "0 to 1",
            ),
            ("leakage.max_share", share.contains(&leakage.max_share), "0 to 1"),
            ("memorisation.probes", probe.probes <= 10_000, "0 to 10000"),
            (
                "memorisation.prompt_tokens",
                (1..=4096).contains(&probe.prompt_tokens),
                "1 to 4096",
            ),
            (
                "memorisation.continuation_tokens",
                (1..=4096).contains(&probe.continuation_tokens),
                "1 to 4096",
            ),
            ("style.samples", self.style.samples <= 10_000, "0 to 10000"),
            (
                "style.tokens",
                (1..=4096).contains(&self.style.tokens),
                "1 to 4096",
            ),
            (
                "style.temperature",
                (0.0..=5.0).contains(&self.style.temperature),
                "0 to 5",
            ),
            (
                "gate.min_improvement",
                self.gate.min_improvement.is_finite(),
                "a number",
            ),
        ];
        match bounds.into_iter().find(|(_, holds, _)| !holds) {
            None => Ok(()),
            Some((key, _, bounds)) => Err(OperatorError::config(
                "evaluate.config",
                format!("`{key}` is out of its bounds"),
                format!("Set `{key}` to {bounds}."),
            )),
        }
    }
}
