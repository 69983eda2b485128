//! How a rotation reaches beyond the positions that the model was first trained for.

use std::f64::consts::PI;

use serde_json::Value;

/// A change of the rotation's frequencies.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// As trained.
    None,
    /// All frequencies are divided.
    Linear {
        /// By this.
        factor: f64,
    },
    /// The base grows with the text, once that is longer than `max_position_embeddings`.
    Dynamic {
        /// How fast.
        factor: f64,
    },
    /// Llama 3: low frequencies are divided, high ones left, those between blended.
    Llama3 {
        /// What low frequencies are divided by.
        factor: f64,
        /// Waves longer than `original / low` are low.
        low: f64,
        /// Waves shorter than `original / high` are high.
        high: f64,
        /// Positions of the first training.
        original: f64,
    },
    /// YaRN: a ramp over the frequencies, and larger scores.
    Yarn {
        /// What low frequencies are divided by.
        factor: f64,
        /// Turns within `original` above which a frequency is left.
        fast: f64,
        /// Turns within `original` below which a frequency is divided in full.
        slow: f64,
        /// Positions of the first training.
        original: f64,
        /// Whether the ramp's ends are rounded to whole dimensions.
        truncate: bool,
        /// What cosine and sine are multiplied with.
        attention: f64,
    },
}

impl RopeScaling {
    /// Reads `rope_scaling` or `rope_parameters`.
    pub fn read(parameters: &Value, max_positions: i64) -> Result<Self, String> {
        let kind = parameters.get("rope_type").or_else(|| parameters.get("type"));
        let given = |name: &str| parameters.get(name).and_then(Value::as_f64);
        let number =
            |name: &str| given(name).ok_or_else(|| format!("the RoPE scaling has no number `{name}`"));
        let original = given("original_max_position_embeddings").unwrap_or(max_positions as f64);
        match kind.and_then(Value::as_str).unwrap_or("default") {
            "default" => Ok(Self::None),
            "linear" => Ok(Self::Linear {
                factor: number("factor")?,
            }),
            "dynamic" => Ok(Self::Dynamic {
                factor: number("factor")?,
            }),
            "llama3" => Ok(Self::Llama3 {
                factor: number("factor")?,
                low: number("low_freq_factor")?,
                high: number("high_freq_factor")?,
                original,
            }),
            "yarn" => {
                let factor = given("factor").unwrap_or(max_positions as f64 / original);
                let truncate = parameters.get("truncate").and_then(Value::as_bool);
                let scales = (given("mscale"), given("mscale_all_dim"));
                Ok(Self::Yarn {
                    factor,
                    fast: given("beta_fast").filter(|beta| *beta != 0.0).unwrap_or(32.0),
                    slow: given("beta_slow").filter(|beta| *beta != 0.0).unwrap_or(1.0),
                    original,
                    truncate: truncate.unwrap_or(true),
                    attention: given("attention_factor").unwrap_or_else(|| yarn_attention(factor, scales)),
                })
            }
            other => Err(format!("the RoPE scaling `{other}` is not known")),
        }
    }

    /// Whether the numbers can be meant.
    pub fn check(&self) -> Result<(), String> {
        let numbers = match self {
            Self::None => vec![],
            Self::Linear { factor } | Self::Dynamic { factor } => vec![*factor],
            Self::Llama3 {
                factor,
                low,
                high,
                original,
            } => vec![*factor, *low, *high, *original, high - low],
            Self::Yarn {
                factor,
                fast,
                slow,
                original,
                attention,
                ..
            } => vec![*factor, *fast, *slow, *original, *attention],
        };
        if numbers.iter().all(|number| number.is_finite() && *number > 0.0) {
            Ok(())
        } else {
            Err("the numbers of the RoPE scaling have to be positive".to_owned())
        }
    }

    /// What cosine and sine are multiplied with.
    pub fn attention_factor(&self) -> f64 {
        match self {
            Self::Yarn { attention, .. } => *attention,
            _ => 1.0,
        }
    }

    /// The scaled frequencies, in fp32 as the reference computes them.
    pub fn apply(&self, plain: &[f32], head_dim: i64, theta: f64) -> Vec<f32> {
        match *self {
            Self::None | Self::Dynamic { .. } => plain.to_vec(),
            Self::Linear { factor } => plain.iter().map(|f| f / factor as f32).collect(),
            Self::Llama3 {
                factor,
                low,
                high,
                original,
            } => plain
                .iter()
                .map(|&f| llama3(f, factor, (low, high), original))
                .collect(),
            Self::Yarn {
                factor,
                fast,
                slow,
                original,
                truncate,
                ..
            } => {
                let turns = |rotations: f64| {
                    head_dim as f64 * (original / (rotations * 2.0 * PI)).ln() / (2.0 * theta.ln())
                };
                let (start, end) = match (turns(fast), turns(slow)) {
                    (start, end) if truncate => (start.floor(), end.ceil()),
                    ends => ends,
                };
                let (start, end) = (start.max(0.0), end.min((head_dim - 1) as f64));
                let width = if start == end { 0.001 } else { end - start };
                let one = |(index, &f): (usize, &f32)| {
                    let left = 1.0 - ((index as f32 - start as f32) / width as f32).clamp(0.0, 1.0);
                    f / factor as f32 * (1.0 - left) + f * left
                };
                plain.iter().enumerate().map(one).collect()
            }
        }
    }
}

fn llama3(f: f32, factor: f64, (low, high): (f64, f64), original: f64) -> f32 {
    let (factor, low, high, original) = (factor as f32, low as f32, high as f32, original as f32);
    let wave = 2.0 * std::f32::consts::PI / f;
    if wave < original / high {
        return f;
    }
    if wave > original / low {
        return f / factor;
    }
    let smooth = (original / wave - low) / (high - low);
    (1.0 - smooth) * f / factor + smooth * f
}

/// The published rule for larger scores, with the two weights that some models set.
fn yarn_attention(factor: f64, scales: (Option<f64>, Option<f64>)) -> f64 {
    let rule = |scale: f64| {
        if factor <= 1.0 {
            1.0
        } else {
            0.1 * scale * factor.ln() + 1.0
        }
    };
    match scales {
        (Some(a), Some(b)) if a != 0.0 && b != 0.0 => rule(a) / rule(b),
        _ => rule(1.0),
    }
}
