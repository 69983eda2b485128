//! How an embedder makes one vector of a text's hidden states: 1_Pooling/config.json.

use serde_json::Value;
use tch::{Kind, Tensor};

use crate::{ModelError, nn::bert::Packed};

/// A way to make one vector of many; several are laid end to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    First,
    Max,
    Mean,
    /// The sum divided by the root of the length.
    MeanRoot,
    /// The mean, a token counting by its place.
    Weighted,
    Last,
}

/// All modes in the order that their vectors are laid in, with their names now and formerly.
const MODES: [(Mode, &str, &str); 6] = [
    (Mode::First, "cls", "pooling_mode_cls_token"),
    (Mode::Max, "max", "pooling_mode_max_tokens"),
    (Mode::Mean, "mean", "pooling_mode_mean_tokens"),
    (
        Mode::MeanRoot,
        "mean_sqrt_len_tokens",
        "pooling_mode_mean_sqrt_len_tokens",
    ),
    (Mode::Weighted, "weightedmean", "pooling_mode_weightedmean_tokens"),
    (Mode::Last, "lasttoken", "pooling_mode_lasttoken"),
];

/// An embedder's pooling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooling {
    modes: Vec<Mode>,
    /// Whether the prompt's tokens count.
    pub include_prompt: bool,
}

impl Default for Pooling {
    fn default() -> Self {
        Self {
            modes: vec![Mode::Mean],
            include_prompt: true,
        }
    }
}

impl Pooling {
    /// Reads the configuration.
    ///
    /// # Errors
    /// What is not known, in words.
    pub fn read(config: &Value) -> Result<Self, String> {
        let include_prompt = config
            .get("include_prompt")
            .and_then(Value::as_bool)
            .unwrap_or(true);
        let named = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            let known = MODES.iter().find(|(_, now, _)| *now == name);
            known
                .map(|(mode, _, _)| *mode)
                .ok_or_else(|| format!("its pooling `{name}` is not known"))
        };
        let modes = match config.get("pooling_mode") {
            Some(Value::Array(names)) => names.iter().map(named).collect::<Result<Vec<_>, _>>()?,
            Some(name) => vec![named(name)?],
            None => {
                let set = |name: &str| config.get(name).and_then(Value::as_bool).unwrap_or(false);
                let old = MODES.iter().filter(|(_, _, formerly)| set(formerly));
                old.map(|(mode, _, _)| *mode).collect()
            }
        };
        Ok(Self {
            modes: if modes.is_empty() { vec![Mode::Mean] } else { modes },
            include_prompt,
        })
    }

    /// Vectors of a text's width that are laid end to end.
    #[must_use]
    pub fn width(&self) -> usize {
        self.modes.len()
    }

    /// The vectors of a batch, `[sequences, width * hidden]`. The first `prompt` tokens of each are left out.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn apply(&self, hidden: &Tensor, batch: &Packed, prompt: i64) -> Result<Tensor, ModelError> {
        batch.pool(hidden, |run| {
            let length = run.size3()?.1;
            // A text that is nothing but its prompt keeps it.
            let prompt = if prompt < length { prompt } else { 0 };
            let run = run.f_narrow(1, prompt, length - prompt)?;
            let parts = self
                .modes
                .iter()
                .map(|mode| mode.apply(&run, prompt))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Tensor::f_cat(&parts, -1)?)
        })
    }
}

impl Mode {
    /// `[sequences, length, hidden]` to `[sequences, hidden]`; `before` tokens stood before the first.
    fn apply(self, run: &Tensor, before: i64) -> Result<Tensor, ModelError> {
        let length = run.size3()?.1;
        let over: &[i64] = &[1];
        Ok(match self {
            Self::First => run.f_select(1, 0)?,
            Self::Last => run.f_select(1, length - 1)?,
            Self::Max => run.f_amax(over, false)?,
            Self::Mean => run.f_mean_dim(over, false, None)?,
            Self::MeanRoot => run
                .f_sum_dim_intlist(over, false, None)?
                .f_div_scalar((length as f64).sqrt())?,
            Self::Weighted => {
                let places =
                    Tensor::f_arange_start(before + 1, before + length + 1, (Kind::Float, run.device()))?;
                let weights = places
                    .f_div(&places.f_sum(Kind::Float)?)?
                    .f_to_kind(run.f_kind()?)?;
                run.f_mul(&weights.f_view([1, length, 1])?)?
                    .f_sum_dim_intlist(over, false, None)?
            }
        })
    }
}
