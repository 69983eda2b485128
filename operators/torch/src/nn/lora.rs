//! LoRA adapters in PEFT's format: adapter_config.json and adapter_model.safetensors.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::{Decoder, linear::Low};
use crate::{
    ModelError,
    checkpoint::{Checkpoint, read_json, write_config, write_safetensors},
    seeded::seeded,
};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// PEFT wraps the base model twice.
const PREFIX: &str = "base_model.model.";
/// DoRA's norms of rows.
const MAGNITUDE: &str = "lora_magnitude_vector";

/// What adapter_config.json says that matters here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AdapterConfig {
    /// Rank of the factors.
    pub r: i64,
    /// The product of the factors counts `lora_alpha / r` (`/ sqrt(r)` with rsLoRA).
    pub lora_alpha: f64,
    /// Last parts of the names of the layers: `q_proj`, `mlp.c_proj`.
    pub target_modules: BTreeSet<String>,
    /// Whether the base's family stores matrices as `[in, out]`, as PEFT has to know.
    #[serde(default)]
    pub fan_in_fan_out: bool,
    /// Whether the scale goes by the square root of the rank.
    #[serde(default)]
    pub use_rslora: bool,
    /// Whether every row's norm is trained beside its direction.
    #[serde(default)]
    pub use_dora: bool,
    /// The base model, by name or folder.
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    /// The base's commit, where it is a model of the hub.
    #[serde(default)]
    pub revision: Option<String>,
}

impl AdapterConfig {
    /// What the product of the factors is multiplied with.
    #[must_use]
    pub fn scale(&self) -> f64 {
        let rank = self.r as f64;
        self.lora_alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}

/// An adapter's weights, outside any model.
#[derive(Debug)]
pub struct Adapter {
    config: AdapterConfig,
    /// By the layer's name.
    parts: BTreeMap<String, Part>,
}

/// An adapter's weights for one layer.
#[derive(Debug)]
struct Part {
    /// `[rank, in]`.
    a: Tensor,
    /// `[out, rank]`.
    b: Tensor,
    /// DoRA: `[out]`.
    magnitude: Option<Tensor>,
}

impl Adapter {
    /// A new adapter for a model: A uniform as PEFT starts it, B zero, both fp32 and trainable. It changes nothing
    /// until it is trained. Without targets it is on every linear layer of the blocks, which are its targets then.
    ///
    /// # Errors
    /// `model.input` when a target is no layer of the model, or the rank is not positive.
    pub fn new(model: &Decoder, mut config: AdapterConfig, seed: u64) -> Result<Self, ModelError> {
        if !(1..=4096).contains(&config.r) {
            return Err(ModelError::input(
                format!("a rank of {} is not possible", config.r),
                "Use 8, 16 or 32.",
            ));
        }
        let known: BTreeSet<&str> = model.linears().map(|linear| last_part(&linear.name)).collect();
        if config.target_modules.is_empty() {
            config.target_modules = known.iter().map(|name| (*name).to_owned()).collect();
        }
        config.fan_in_fan_out = model.architecture().names.transposed;
        if let Some(target) = config
            .target_modules
            .iter()
            .find(|target| !model.linears().any(|linear| is_target(&linear.name, target)))
        {
            let known: Vec<_> = known.into_iter().collect();
            return Err(ModelError::input(
                format!("the model has no layers `{target}`"),
                format!("It has {}.", known.join(", ")),
            ));
        }
        let targets: Vec<_> = model
            .linears()
            .filter(|linear| {
                let mut targets = config.target_modules.iter();
                targets.any(|target| is_target(&linear.name, target))
            })
            .collect();
        // Kaiming uniform with a = sqrt(5) comes down to this bound.
        let start = |inputs: i64| {
            let bound = 1.0 / (inputs as f64).sqrt();
            Tensor::f_empty([config.r, inputs], (Kind::Float, Device::Cpu))?.f_uniform_(-bound, bound)
        };
        let draw = || {
            targets
                .iter()
                .map(|linear| start(linear.shape().1))
                .collect::<Result<Vec<_>, _>>()
        };
        let mut parts = BTreeMap::new();
        for (linear, a) in targets.iter().zip(seeded(seed, draw)?) {
            let outputs = linear.shape().0;
            let a = a.f_to_device(model.device())?.f_set_requires_grad(true)?;
            let b = Tensor::f_zeros([outputs, config.r], (Kind::Float, model.device()))?
                .f_set_requires_grad(true)?;
            let magnitude = if config.use_dora {
                Some(row_norms(&linear.weight.dense()?)?.f_set_requires_grad(true)?)
            } else {
                None
            };
            parts.insert(linear.name.clone(), Part { a, b, magnitude });
        }
        Ok(Self { config, parts })
    }

    /// Reads a folder that PEFT or [`Self::save`] wrote.
    ///
    /// # Errors
    /// `model.file_missing`, `model.damaged`, `model.config` for a kind of adapter that there is no code for.
    pub fn load(dir: &Path, device: Device) -> Result<Self, ModelError> {
        let path = dir.join(CONFIG);
        let json = read_json(&path, dir)?;
        refuse_unknown(&json, &path)?;
        let config: AdapterConfig =
            serde_json::from_value(json).map_err(|error| config_error(&path, error.to_string()))?;
        if !dir.join(WEIGHTS).is_file() {
            let pickle = dir.join("adapter_model.bin");
            return Err(match pickle.is_file() {
                true => ModelError::Pickle { path: pickle },
                false => ModelError::Missing {
                    dir: dir.to_owned(),
                    what: WEIGHTS.to_owned(),
                },
            });
        }
        let file = Checkpoint::open_files(dir, &[dir.join(WEIGHTS)])?;
        let mut parts = BTreeMap::new();
        for name in file.names() {
            let part = name.strip_prefix(PREFIX).unwrap_or(name);
            let Some(layer) = part.strip_suffix(".lora_A.weight") else {
                if part.ends_with(".lora_B.weight") || (config.use_dora && part.ends_with(MAGNITUDE)) {
                    continue;
                }
                return Err(config_error(
                    &path,
                    format!("the weights hold `{name}`, which is no LoRA factor"),
                ));
            };
            let stem = name.trim_end_matches("lora_A.weight");
            let read =
                |name: &str| file.tensor(name, file.shape(name).unwrap_or_default(), device, Kind::Float);
            let magnitude = if config.use_dora {
                Some(read(&format!("{stem}{MAGNITUDE}"))?)
            } else {
                None
            };
            let (a, b) = (read(name)?, read(&format!("{stem}lora_B.weight"))?);
            parts.insert(layer.to_owned(), Part { a, b, magnitude });
        }
        Ok(Self { config, parts })
    }

    /// Writes the folder that PEFT and vLLM read.
    ///
    /// # Errors
    /// `model.unreadable` when a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        std::fs::create_dir_all(dir).map_err(|source| ModelError::Io {
            path: dir.to_owned(),
            source,
        })?;
        let mut tensors = Vec::new();
        for (name, Part { a, b, magnitude }) in &self.parts {
            tensors.push((format!("{PREFIX}{name}.lora_A.weight"), a.shallow_clone()));
            tensors.push((format!("{PREFIX}{name}.lora_B.weight"), b.shallow_clone()));
            if let Some(magnitude) = magnitude {
                tensors.push((format!("{PREFIX}{name}.{MAGNITUDE}"), magnitude.shallow_clone()));
            }
        }
        write_safetensors(&dir.join(WEIGHTS), &tensors)?;
        write_config(&dir.join(CONFIG), &self.peft_config())
    }

    /// Rank, scale and targets.
    #[must_use]
    pub fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// The layers that it has factors for.
    #[must_use]
    pub fn names(&self) -> BTreeSet<&str> {
        self.parts.keys().map(String::as_str).collect()
    }

    /// A layer's factors A and B.
    #[must_use]
    pub fn factors(&self, layer: &str) -> Option<(&Tensor, &Tensor)> {
        self.parts.get(layer).map(|part| (&part.a, &part.b))
    }

    /// What sits on a layer.
    #[must_use]
    pub fn low(&self, layer: &str) -> Option<Low> {
        self.parts.get(layer).map(|part| Low {
            a: part.a.shallow_clone(),
            b: part.b.shallow_clone(),
            scale: self.config.scale(),
            magnitude: part.magnitude.as_ref().map(Tensor::shallow_clone),
        })
    }

    /// All factors, in the order of their names: what an optimizer trains.
    #[must_use]
    pub fn weights(&self) -> Vec<Tensor> {
        self.parts
            .values()
            .flat_map(|part| [Some(&part.a), Some(&part.b), part.magnitude.as_ref()])
            .flatten()
            .map(Tensor::shallow_clone)
            .collect()
    }

    fn peft_config(&self) -> Value {
        let AdapterConfig {
            r,
            lora_alpha,
            target_modules,
            fan_in_fan_out,
            use_rslora,
            use_dora,
            base_model_name_or_path,
            revision,
        } = &self.config;
        json!({
            "alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": base_model_name_or_path,
            "bias": "none", "fan_in_fan_out": fan_in_fan_out, "inference_mode": true, "init_lora_weights": true,
            "lora_alpha": lora_alpha, "lora_dropout": 0.0, "modules_to_save": null, "peft_type": "LORA", "r": r,
            "rank_pattern": {}, "revision": revision, "target_modules": target_modules, "task_type": "CAUSAL_LM",
            "use_dora": use_dora, "use_rslora": use_rslora,
        })
    }
}

/// What would change the result and is not done here must not be passed over.
fn refuse_unknown(config: &Value, path: &Path) -> Result<(), ModelError> {
    let set = |name: &str| match config.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Object(map)) => !map.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    };
    let kind = config.get("peft_type").and_then(Value::as_str).unwrap_or("LORA");
    if kind != "LORA" {
        return Err(config_error(path, format!("peft_type is `{kind}`")));
    }
    let unknown = ["rank_pattern", "alpha_pattern", "modules_to_save"];
    if let Some(name) = unknown.iter().find(|name| set(name)) {
        return Err(config_error(path, format!("`{name}` is set")));
    }
    match config.get("bias").and_then(Value::as_str) {
        None | Some("none") => Ok(()),
        Some(bias) => Err(config_error(path, format!("bias is `{bias}`"))),
    }
}

fn config_error(path: &Path, why: String) -> ModelError {
    ModelError::Config {
        path: path.to_owned(),
        why,
        hint: "Use a plain LoRA adapter of a decoder.".to_owned(),
    }
}

/// The norm of every row, fp32 `[out]`.
fn row_norms(weight: &Tensor) -> Result<Tensor, ModelError> {
    let square = weight.f_detach()?.f_to_kind(Kind::Float)?.f_square()?;
    Ok(square
        .f_sum_dim_intlist([1_i64].as_slice(), false, None)?
        .f_sqrt()?)
}

/// As PEFT compares them: the whole name or its last parts.
fn is_target(name: &str, target: &str) -> bool {
    let before = name.strip_suffix(target);
    before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
