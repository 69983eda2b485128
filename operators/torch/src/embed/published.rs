//! What an embedder was published with: modules.json and the files that it names, in the layout of
//! sentence-transformers.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use serde_json::Value;

use super::pooling::Pooling;
use crate::{ModelError, checkpoint::read_json};

const MODULES: &str = "modules.json";
/// Where pooling is without a modules.json.
const POOLING: &str = "1_Pooling";
const PROMPTS: &str = "config_sentence_transformers.json";
/// Formerly a file for each architecture; the name that it has now comes first.
const TEXT: [&str; 4] = [
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_camembert_config.json",
];
/// Longer is said by tokenizers that know no limit.
const NO_LIMIT: u64 = 1_000_000;

/// What an embedder was published with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// The folder of weights and tokenizer.
    pub model: PathBuf,
    /// How one vector is made.
    pub pooling: Pooling,
    /// Tokens of a text that count.
    pub max_length: Option<usize>,
    /// Whether texts are put into small letters first.
    pub lowercase: bool,
    /// Texts that are put before others, by name.
    pub prompts: BTreeMap<String, String>,
    /// The prompt that counts where none is asked for.
    pub default_prompt: Option<String>,
}

impl Published {
    /// Reads a folder; a bare checkpoint has mean pooling and no prompts.
    ///
    /// # Errors
    /// `model.config` for a module that there is no code for, naming it, or `model.damaged`.
    pub fn read(dir: &Path) -> Result<Self, ModelError> {
        let (mut model, mut pooling) = (dir.to_owned(), dir.join(POOLING));
        if let Some(modules) = optional(dir, MODULES)? {
            for module in modules.as_array().into_iter().flatten() {
                let text = |name: &str| module.get(name).and_then(Value::as_str).unwrap_or_default();
                let place = inside(dir, text("path"))?;
                match text("type").rsplit('.').next().unwrap_or_default() {
                    "Transformer" => model = place,
                    "Pooling" => pooling = place,
                    // Lengths are the operator's own setting.
                    "Normalize" => {}
                    other => {
                        return Err(config_error(
                            dir.join(MODULES),
                            format!("it has the module `{other}`"),
                        ));
                    }
                }
            }
        }
        let pooling_file = pooling.join("config.json");
        let pooling = match optional(&pooling, "config.json")? {
            Some(config) => Pooling::read(&config).map_err(|why| config_error(pooling_file, why))?,
            None => Pooling::default(),
        };
        let mut text = Value::Null;
        for name in TEXT {
            if let Some(found) = optional(&model, name)? {
                text = found;
                break;
            }
        }
        let limit = |config: &Value, name: &str| {
            let length = config
                .get(name)?
                .as_u64()
                .filter(|length| (1..NO_LIMIT).contains(length))?;
            usize::try_from(length).ok()
        };
        let tokenizer = optional(&model, "tokenizer_config.json")?.unwrap_or(Value::Null);
        let own = optional(dir, PROMPTS)?.unwrap_or(Value::Null);
        let prompts = own
            .get("prompts")
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        Ok(Self {
            pooling,
            max_length: limit(&text, "max_seq_length").or_else(|| limit(&tokenizer, "model_max_length")),
            lowercase: text
                .get("do_lower_case")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            prompts: prompts
                .filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())))
                .collect(),
            default_prompt: own
                .get("default_prompt_name")
                .and_then(Value::as_str)
                .map(str::to_owned),
            model,
        })
    }
}

/// A path that a file names may not lead out of the folder.
fn inside(dir: &Path, path: &str) -> Result<PathBuf, ModelError> {
    let plain = Path::new(path)
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    if plain {
        return Ok(dir.join(path));
    }
    Err(ModelError::Damaged {
        path: dir.join(MODULES),
        why: format!("the path `{path}` leads out of the folder"),
    })
}

fn optional(dir: &Path, name: &str) -> Result<Option<Value>, ModelError> {
    let path = dir.join(name);
    path.is_file().then(|| read_json(&path, dir)).transpose()
}

fn config_error(path: PathBuf, why: String) -> ModelError {
    ModelError::Config {
        path,
        why,
        hint: "Use an embedder of transformer, pooling and normalisation.".to_owned(),
    }
}
