//! What `with:` of `evaluate` holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::OperatorError;

use crate::split::MIN_HELD_OUT;

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
    /// Others' text, to tell what was learnt of the author from what was learnt of writing.
    pub control: Control,
    /// Everyday questions, to find what tuning has cost.
    pub ability: Ability,
    /// A language model that compares texts; none is asked without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeConfig>,
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
    /// A held-out row is leaked as well when it has this share of its runs of five words in common with one training
    /// answer (estimated by MinHash).
    #[schemars(range(min = 0.3, max = 1.0))]
    pub similarity: f64,
    /// Share of held-out rows that may be leaked; leaked ones are not measured.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_share: f64,
}

/// The control: rows that the author did not write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// Texts that are measured, of the input `control` or of the set that is shipped; 0 leaves the control out.
    #[schemars(range(max = 10_000))]
    pub rows: usize,
}

impl Default for Control {
    fn default() -> Self {
        Self { rows: 48 }
    }
}

/// The ability check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ability {
    /// Questions of the shipped set that are asked; 0 leaves the check out.
    #[schemars(range(max = 1000))]
    pub items: usize,
}

impl Default for Ability {
    fn default() -> Self {
        Self { items: 1000 }
    }
}

/// A judge behind an OpenAI-compatible endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JudgeConfig {
    /// The base of the endpoint, such as `https://api.example.org/v1`.
    pub url: String,
    /// The model to ask.
    pub model: String,
    /// The key, as `secret:NAME`; none is sent without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Whether the endpoint may have an address of this machine or a private network.
    #[serde(default)]
    pub allow_private: bool,
    /// Seconds that an answer may take.
    #[serde(default = "judge_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub seconds: u64,
}

fn judge_seconds() -> u64 {
    60
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
    /// Share of probes on which the candidate may go on with its training text word for word.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_extracted_share: f64,
    /// Share of everyday questions that the candidate may get wrong beyond the base: refused where the interval lies
    /// above as a whole.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_ability_drop: f64,
    /// How far its style may lie beyond the author's own band; not asked for without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_style_excess: Option<f64>,
    /// Win rate against the base that a judge has to give; not asked for without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_judge_wins: Option<f64>,
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
            control: Control::default(),
            ability: Ability::default(),
            judge: None,
            gate: Gate::default(),
        }
    }
}

impl Default for Leakage {
    fn default() -> Self {
        Self {
            ngram: 13,
            row_overlap: 0.5,
            similarity: 0.7,
            max_share: 0.25,
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
            max_extracted_share: 0.25,
            max_ability_drop: 0.15,
            max_style_excess: None,
            min_judge_wins: None,
            min_documents: MIN_HELD_OUT,
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
        let bounds: [(&str, bool, &str); 19] = [
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
            (
                "leakage.similarity",
                (0.3..=1.0).contains(&leakage.similarity),
                "0.3 to 1",
            ),
            ("control.rows", self.control.rows <= 10_000, "0 to 10000"),
            ("ability.items", self.ability.items <= 1000, "0 to 1000"),
            (
                "judge.seconds",
                self.judge
                    .as_ref()
                    .is_none_or(|judge| (1..=3600).contains(&judge.seconds)),
                "1 to 3600",
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
