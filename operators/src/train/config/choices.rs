//! What keys of `train` may be set to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the model is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// From nothing, on whole documents: makes the embedded base model `nano`.
    Pretrain,
    /// All weights of a base, on instructions and answers.
    Full,
    /// Low-rank adapters on a frozen base, on instructions and answers.
    Lora,
    /// LoRA scaled by the root of its rank.
    Rslora,
    /// LoRA with a trained norm of every row.
    Dora,
    /// Short for `lora` with `load_in_4bit: true`: on a base that is held in 4 bits.
    Qlora,
    /// Short for `lora` with `preference: true`: on pairs of a better and a worse answer.
    Dpo,
}

impl Method {
    /// Whether it starts from nothing.
    #[must_use]
    pub fn pretrains(self) -> bool {
        self == Self::Pretrain
    }

    /// Whether it makes an adapter.
    #[must_use]
    pub fn adapts(self) -> bool {
        !matches!(self, Self::Pretrain | Self::Full)
    }

    /// As the configuration spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pretrain => "pretrain",
            Self::Full => "full",
            Self::Lora => "lora",
            Self::Rslora => "rslora",
            Self::Dora => "dora",
            Self::Qlora => "qlora",
            Self::Dpo => "dpo",
        }
    }
}

/// Shape of a model that is pre-trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// For trying things out: 64 wide, 2 layers.
    Tiny,
    /// A minute or two on two cores: 256 wide, 4 layers.
    Nano,
    /// Some ten minutes on eight cores: 512 wide, 8 layers.
    Small,
}

/// The type that a frozen base is held in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// fp32 on a CPU, bf16 on a GPU.
    Auto,
    /// 32 bits.
    Fp32,
    /// 16 bits, with the range of 32.
    Bf16,
}

/// Course of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Half a cosine, down to a tenth.
    Cosine,
    /// A straight line, down to nothing.
    Linear,
    /// No change.
    Constant,
}

/// What is predicted of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossOn {
    /// The answer and its end.
    Answer,
    /// The instruction too.
    All,
}

/// How the optimizer's state is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// 32 bits.
    Adamw,
    /// 8 bits, in blocks of 256: a quarter of the memory.
    Adamw8bit,
}

/// How a base of 4 bits is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantization {
    /// Quantiles of the normal distribution, groups of 64.
    Nf4,
    /// Even steps, groups of 32.
    Int4,
}

/// How many of a batch's sequences are computed at a time; the result is the batch's, but for rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MicroBatch {
    /// All.
    #[serde(rename = "all")]
    Whole,
    /// All; half of them whenever memory runs out.
    Auto,
    /// So many.
    #[serde(untagged)]
    Fixed(usize),
}

/// The linear layers of the blocks that get an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Targets {
    /// All of them, whatever the base's family calls them.
    #[serde(rename = "all-linear")]
    AllLinear,
    /// Those whose names end with one of these, as PEFT has it: `q_proj`, `mlp.c_proj`.
    #[serde(untagged)]
    Named(Vec<String>),
}

impl Targets {
    /// The names; `None` is all.
    #[must_use]
    pub fn names(&self) -> Option<&[String]> {
        match self {
            Self::AllLinear => None,
            Self::Named(names) => Some(names),
        }
    }
}
