//! What can be wrong with a model's files or with what is asked of a model.

use std::path::PathBuf;

use tch::TchError;
use twinloom_sdk::OperatorError;

/// An error of reading, building or running a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the checkpoint is not there.
    #[error("the checkpoint {} has no {what}", dir.display())]
    Missing {
        /// The checkpoint's folder.
        dir: PathBuf,
        /// `config.json`, `*.safetensors`, the name of a shard.
        what: String,
    },
    /// Only a pickle is there: it can run code when it is read.
    #[error("{} is a pickle, which can run code when it is read", path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{} is damaged or not what its name says: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A value in config.json that there is no code for.
    #[error("{}: {why}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// What would do.
        hint: String,
    },
    /// A tensor that the architecture needs is not in the checkpoint.
    #[error("the checkpoint {} lacks the tensor `{name}`", dir.display())]
    TensorMissing {
        /// The checkpoint's folder.
        dir: PathBuf,
        /// The tensor.
        name: String,
        /// A tensor of a similar name that is there.
        similar: Option<String>,
    },
    /// A tensor's shape is not what config.json makes it.
    #[error("{}: the tensor `{name}` has the shape {found:?}, config.json asks for {expected:?}", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<i64>,
        /// The shape that the configuration asks for.
        expected: Vec<i64>,
    },
    /// A tensor's type is none that weights may have.
    #[error("{}: the tensor `{name}` is of type {found}, weights may be F32, F16 or BF16", path.display())]
    TensorKind {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A model cannot be had from the hub.
    #[error("the model `{name}` cannot be had from the hub: {why}")]
    Hub {
        /// Its name.
        name: String,
        /// What kind of problem it is.
        kind: HubProblem,
        /// What happened, without addresses.
        why: String,
    },
    /// What is asked of a model does not suit it.
    #[error("{why}")]
    Input {
        /// What is wrong.
        why: String,
        /// What would do.
        hint: String,
    },
    /// There is no room for a request now.
    #[error("{why}")]
    Busy {
        /// What is full.
        why: String,
        /// What would do.
        hint: String,
    },
    /// A request was taken back by the one who asked.
    #[error("the request was cancelled")]
    Cancelled,
    /// libtorch failed.
    #[error("libtorch: {}", first_lines(.0))]
    Torch(#[from] TchError),
}

/// Why a model cannot be had from the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubProblem {
    /// There is no network, or it may not be used, or the hub does not answer as it should.
    Unreachable,
    /// The hub does not know the model, or not that revision.
    NotFound,
    /// The hub does not give it to everyone.
    Denied,
}

impl ModelError {
    /// A request that the model cannot meet.
    pub fn input(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Input {
            why: why.into(),
            hint: hint.into(),
        }
    }

    /// Whether memory ran out.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Torch(error) if out_of_memory(error))
    }

    /// A request that would be met with more room.
    pub fn busy(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Busy {
            why: why.into(),
            hint: hint.into(),
        }
    }

    /// Stable and dotted.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "model.file_missing",
            Self::Pickle { .. } => "model.pickle",
            Self::Io { .. } => "model.unreadable",
            Self::Damaged { .. } => "model.damaged",
            Self::Config { .. } => "model.config",
            Self::TensorMissing { .. } => "model.tensor_missing",
            Self::TensorShape { .. } => "model.tensor_shape",
            Self::TensorKind { .. } => "model.tensor_kind",
            Self::Hub { kind, .. } => match kind {
                HubProblem::Unreachable => "model.hub_unreachable",
                HubProblem::NotFound => "model.hub_not_found",
                HubProblem::Denied => "model.hub_denied",
            },
            Self::Input { .. } => "model.input",
            Self::Busy { .. } => "model.busy",
            Self::Cancelled => "model.cancelled",
            Self::Torch(error) if out_of_memory(error) => "torch.out_of_memory",
            Self::Torch(_) => "torch.failed",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { .. } => {
                "Give the folder of a Hugging Face checkpoint: config.json, *.safetensors and tokenizer.json."
                    .to_owned()
            }
            Self::Pickle { .. } => {
                "Convert it to safetensors (`save_pretrained(..., safe_serialization=True)`) and use that."
                    .to_owned()
            }
            Self::Io { .. } => "Check that the file is there and that this user may read it.".to_owned(),
            Self::Damaged { .. } => "Download or convert the checkpoint again.".to_owned(),
            Self::Config { hint, .. } | Self::Input { hint, .. } | Self::Busy { hint, .. } => hint.clone(),
            Self::Cancelled => "Send it again if its answer is wanted after all.".to_owned(),
            Self::Hub { name, kind, .. } => hub_hint(name, *kind),
            Self::TensorMissing {
                similar: Some(similar),
                ..
            } => {
                format!("It has `{similar}`: check that config.json belongs to these weights.")
            }
            Self::TensorMissing { similar: None, .. } | Self::TensorShape { .. } => {
                "Check that config.json belongs to these weights, and that all shards are there.".to_owned()
            }
            Self::TensorKind { .. } => "Use a checkpoint that is not quantised.".to_owned(),
            Self::Torch(error) if out_of_memory(error) => {
                "Use a smaller batch, a shorter length or a smaller model.".to_owned()
            }
            Self::Torch(_) => "Look at the log; `twinloom-torch info` shows devices and versions.".to_owned(),
        }
    }
}

impl From<ModelError> for OperatorError {
    fn from(error: ModelError) -> Self {
        let (code, hint) = (error.code(), error.hint());
        match &error {
            ModelError::Hub {
                kind: HubProblem::Unreachable,
                ..
            } => Self::retry(code, &error, hint),
            ModelError::Missing { .. }
            | ModelError::Config { .. }
            | ModelError::Input { .. }
            | ModelError::Hub { .. } => Self::config(code, &error, hint),
            ModelError::Torch(inner) if !out_of_memory(inner) => Self::bug(code, &error),
            ModelError::Torch(_) => Self::config(code, &error, hint),
            _ => Self::data(code, &error, hint),
        }
    }
}

fn hub_hint(name: &str, kind: HubProblem) -> String {
    match kind {
        HubProblem::Unreachable => format!(
            "Where there is a network run `hf download {}`, copy its folder of the cache to this machine's (HF_HOME), or \
             give the folder of the checkpoint instead of a name.",
            name.replace('@', " --revision ")
        ),
        HubProblem::NotFound => "Check the name and the revision: `owner/name@revision`.".to_owned(),
        HubProblem::Denied => {
            "Check the name; accept the model's terms on its page and set HF_TOKEN to a token that may read it.".to_owned()
        }
    }
}

fn out_of_memory(error: &TchError) -> bool {
    let text = error.to_string();
    text.contains("out of memory")
        || text.contains("can't allocate memory")
        || text.contains("not enough memory")
        || text.contains("std::bad_alloc")
        || text.contains("CUBLAS_STATUS_ALLOC_FAILED")
}

/// libtorch's messages carry a C++ stack trace that helps nobody who reads a task's log.
fn first_lines(error: &TchError) -> String {
    let text = error.to_string();
    let text = text.split("\nException raised from").next().unwrap_or_default();
    text.lines()
        .take(4)
        .collect::<Vec<_>>()
        .join("; ")
        .chars()
        .take(600)
        .collect()
}
