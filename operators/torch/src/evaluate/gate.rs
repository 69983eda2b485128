//! The verdict: each threshold against its figure.

use serde::Serialize;
use twinloom_operators::evaluate::Gate;

use super::bootstrap::Interval;

/// What the thresholds are held against.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evidence {
    /// Held-out documents that were compared.
    pub documents: usize,
    /// Loss of base less that of the candidate, in nats a token.
    pub improvement: Interval,
    /// Bits a byte of the candidate less those of production.
    pub regression: Option<Interval>,
    /// Median over the probes; none were made without it.
    pub recited_share: Option<f64>,
    /// Share of probes that were gone on with word for word.
    pub extracted_share: Option<f64>,
    /// Share of everyday questions that base answers right, less that of the candidate.
    pub ability_drop: Option<Interval>,
    /// Style distance beyond the upper end of the author's own band.
    pub style_excess: Option<f64>,
    /// Win rate against the base.
    pub judge_wins: Option<f64>,
}

/// One threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// Its key below `gate:`.
    pub name: &'static str,
    /// The figure.
    pub value: f64,
    /// The threshold.
    pub threshold: f64,
    /// Whether it holds.
    pub passed: bool,
    /// In words.
    pub why: String,
}

/// All thresholds, and whether all hold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether the candidate may be approved.
    pub passed: bool,
    /// One by one.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// The check of that name, where it was made.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

/// Holds the figures against the thresholds.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a count of documents")]
pub fn decide(gate: &Gate, evidence: &Evidence) -> Verdict {
    let better = evidence.improvement;
    let mut checks = vec![
        Check {
            name: "min_documents",
            value: evidence.documents as f64,
            threshold: gate.min_documents as f64,
            passed: evidence.documents >= gate.min_documents,
            why: format!(
                "{} held-out documents, {} are needed",
                evidence.documents, gate.min_documents
            ),
        },
        Check {
            name: "min_improvement",
            value: better.value,
            threshold: gate.min_improvement,
            passed: better.low > gate.min_improvement,
            why: format!(
                "held-out loss is better than the base's by {:.4} ({:.4} to {:.4}) nats a token; the lower end must be above {}",
                better.value, better.low, better.high, gate.min_improvement
            ),
        },
    ];
    if let Some(worse) = evidence.regression {
        checks.push(Check {
            name: "max_regression",
            value: worse.value,
            threshold: gate.max_regression,
            passed: worse.high <= gate.max_regression,
            why: format!(
                "{:+.4} ({:+.4} to {:+.4}) bits a byte against production; the upper end may be {}",
                worse.value, worse.low, worse.high, gate.max_regression
            ),
        });
    }
    if let Some(share) = evidence.recited_share {
        checks.push(Check {
            name: "max_recited_share",
            value: share,
            threshold: gate.max_recited_share,
            passed: share <= gate.max_recited_share,
            why: format!(
                "{:.0}% of a continuation stands in the training text (median); {:.0}% may",
                share * 100.0,
                gate.max_recited_share * 100.0
            ),
        });
    }
    checks.extend(further(gate, evidence));
    Verdict {
        passed: checks.iter().all(|check| check.passed),
        checks,
    }
}

/// Thresholds on what tuning may cost, and those that are only there where somebody asks for them.
fn further(gate: &Gate, evidence: &Evidence) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(share) = evidence.extracted_share {
        checks.push(Check {
            name: "max_extracted_share",
            value: share,
            threshold: gate.max_extracted_share,
            passed: share <= gate.max_extracted_share,
            why: format!(
                "{:.0}% of training texts are gone on with word for word; {:.0}% may be",
                share * 100.0,
                gate.max_extracted_share * 100.0
            ),
        });
    }
    if let Some(drop) = evidence.ability_drop {
        checks.push(Check {
            name: "max_ability_drop",
            value: drop.value,
            threshold: gate.max_ability_drop,
            // Some fifty questions are few: only a drop that the interval is sure of counts.
            passed: drop.low <= gate.max_ability_drop,
            why: format!(
                "{:+.0}% ({:+.0}% to {:+.0}%) fewer everyday questions right than the base; the lower end may be {:.0}%",
                drop.value * 100.0,
                drop.low * 100.0,
                drop.high * 100.0,
                gate.max_ability_drop * 100.0
            ),
        });
    }
    if let (Some(threshold), Some(excess)) = (gate.max_style_excess, evidence.style_excess) {
        checks.push(Check {
            name: "max_style_excess",
            value: excess,
            threshold,
            passed: excess <= threshold,
            why: format!("its style lies {excess:+.3} beyond the author's own band; {threshold} may be"),
        });
    }
    if let Some(threshold) = gate.min_judge_wins {
        // Asked for and not measured is missed: no judge is configured, or it was shown no text.
        let wins = evidence.judge_wins.unwrap_or_default();
        checks.push(Check {
            name: "min_judge_wins",
            value: wins,
            threshold,
            passed: evidence.judge_wins.is_some_and(|wins| wins >= threshold),
            why: match evidence.judge_wins {
                Some(wins) => format!(
                    "the judge prefers it to the base in {:.0}% of pairs; {:.0}% are needed",
                    wins * 100.0,
                    threshold * 100.0
                ),
                None => "no judge was asked, and `min_judge_wins` needs one".to_owned(),
            },
        });
    }
    checks
}
