//! What `with:` of `train` holds.

mod aliases;
mod choices;

pub use choices::{LossOn, Method, MicroBatch, Optimizer, Precision, Quantization, Schedule, Size, Targets};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::OperatorError;

use crate::split::EVAL_SHARE;
use aliases::add_aliases;

/// Configuration of `train`. Keys without a value here take the method's default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = add_aliases)]
pub struct Config {
    /// `pretrain`, `full`, `lora`, `rslora`, `dora`, `qlora` or `dpo`.
    pub method: Method,
    /// All but pretrain: what to fine-tune instead of the input `base`: the folder of a Hugging Face checkpoint, or a name on the
    /// hub, `owner/name` or `owner/name@revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// `auto`, `cpu`, `cuda` or `cuda:N`.
    #[serde(default = "auto")]
    pub device: String,
    /// CPU threads; a result is only repeated exactly with the same number.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 1024))]
    pub threads: u32,
    /// `auto` is fp32 on a CPU and bf16 on a GPU. Adapters are fp32 whatever the base is, and so are the optimizer's copies of
    /// weights that are trained in bf16.
    #[serde(default = "precision")]
    pub precision: Precision,
    /// Seed of weights and order. A fixed number, so that the same data gives the same model in every run.
    #[serde(default)]
    pub seed: u64,
    /// pretrain: shape of the model (default nano).
    #[serde(default = "nano")]
    pub size: Size,
    /// Longest sequence in tokens (default 256 for pretrain, 512 for lora); longer rows are cut.
    #[serde(alias = "max_length", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 131_072))]
    pub context: Option<usize>,
    /// Optimizer steps; without it, so many as `epochs` makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub steps: Option<u64>,
    /// Passes over the data (default 4 for pretrain, 3 for lora).
    #[serde(alias = "num_train_epochs", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.01, max = 1000.0))]
    pub epochs: Option<f64>,
    /// Upper bound of the steps that `epochs` makes (default 300 for pretrain, 160 for lora); 0 is none. A bound of
    /// steps, not of time, so that the same data gives the same model on any machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// Sequences at a time (default 8).
    #[serde(alias = "batch_size", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub batch: Option<usize>,
    /// Batches whose gradients make one step; weighted by their tokens.
    #[serde(alias = "gradient_accumulation_steps", default = "one")]
    #[schemars(range(min = 1, max = 4096))]
    pub accumulate: usize,
    /// Highest learning rate (default 0.003 for pretrain; over the base's width, so that wider ones take smaller steps: 0.7 for
    /// adapters, 0.0027 for nano and 0.00017 for a base of seven billion; 0.2 for preferences; 0.05 for full).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub learning_rate: Option<f64>,
    /// Share of the steps in which the learning rate rises from nothing.
    #[serde(alias = "warmup_ratio", default = "warmup")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub warmup: f64,
    /// Its course afterwards.
    #[serde(default = "cosine")]
    pub schedule: Schedule,
    /// AdamW's decay of matrices (default 0.1 for pretrain, 0 for lora).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub weight_decay: Option<f64>,
    /// Gradients are scaled down to this norm; 0 leaves them.
    #[serde(alias = "max_grad_norm", default = "clip_norm")]
    #[schemars(range(min = 0.0))]
    pub clip_norm: f64,
    /// Steps between two measurements of the held-out loss; 0 measures at the start and the end only.
    #[serde(default = "eval_every")]
    pub eval_every: u64,
    /// Held-out sequences that a measurement reads.
    #[serde(default = "eval_rows")]
    #[schemars(range(min = 1, max = 100_000))]
    pub eval_rows: usize,
    /// pretrain: share of documents held out; give it the value that `instruct` has.
    #[serde(default = "eval_share")]
    #[schemars(range(min = 0.0, max = 0.9))]
    pub eval_share: f64,
    /// lora: rank of the adapters.
    #[serde(default = "rank")]
    #[schemars(range(min = 1, max = 1024))]
    pub rank: i64,
    /// lora: the adapters' output is scaled by alpha / rank (default twice the rank).
    #[serde(alias = "lora_alpha", default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// lora: layers that get an adapter, by the last parts of their names; `all-linear` is every one of the blocks.
    #[serde(alias = "target_modules", default = "all_linear")]
    pub targets: Targets,
    /// What is predicted: the answer only, or all of a row.
    #[serde(default = "answer")]
    pub loss: LossOn,
    /// Fills batches by tokens (`batch` times `context`), not by sequences. Sequences never see each other, packed or not.
    #[serde(default)]
    pub packing: bool,
    /// Sequences computed at a time: `all`, `auto` (fewer when memory runs out) or a number.
    #[serde(default = "whole")]
    pub micro_batch: MicroBatch,
    /// Computes layers again on the way back instead of keeping what they made: less memory, a third more time.
    #[serde(default)]
    pub gradient_checkpointing: bool,
    /// `adamw`, or `adamw8bit` for states of 8 bits.
    #[serde(default = "adamw")]
    pub optimizer: Optimizer,
    /// Whether the frozen base is held in 4 bits under its adapter, whichever it is (default true for qlora, else false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_in_4bit: Option<bool>,
    /// In 4 bits: which, `nf4` or `int4`.
    #[serde(default = "nf4")]
    pub quantization: Quantization,
    /// In 4 bits: whether the factors of groups are quantised as well (0.4 bits a weight less).
    #[serde(default = "yes")]
    pub double_quantization: bool,
    /// Whether an adapter, whichever it is, learns from `preferences`, pairs of a better and a worse answer, instead of
    /// `instruct` (default true for dpo, else false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preference: Option<bool>,
    /// preference: the larger, the closer to the base.
    #[serde(default = "beta")]
    #[schemars(range(min = 0.0, max = 10.0))]
    pub beta: f64,
    /// Steps between two checkpoints that a later attempt goes on from; 0 leaves it to `checkpoint_seconds`.
    #[serde(default)]
    pub checkpoint_every: u64,
    /// Seconds between two checkpoints; 0 leaves it to `checkpoint_every`. Neither changes the result.
    #[serde(default = "minute")]
    pub checkpoint_seconds: u64,
    /// Refuses operations whose result may differ between two runs (they exist on GPUs only).
    #[serde(default)]
    pub deterministic: bool,
    /// Operations a second that matrix products reach on the device, for the metric `utilisation`. Without it they are
    /// measured when training starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix_rate: Option<f64>,
}

impl Config {
    /// The method's default for everything.
    #[must_use]
    pub fn of(method: Method) -> Self {
        Self {
            method,
            base_path: None,
            device: auto(),
            threads: two(),
            precision: precision(),
            seed: 0,
            size: nano(),
            context: None,
            steps: None,
            epochs: None,
            max_steps: None,
            batch: None,
            accumulate: one(),
            learning_rate: None,
            warmup: warmup(),
            schedule: cosine(),
            weight_decay: None,
            clip_norm: clip_norm(),
            eval_every: eval_every(),
            eval_rows: eval_rows(),
            eval_share: eval_share(),
            rank: rank(),
            alpha: None,
            targets: all_linear(),
            loss: answer(),
            packing: false,
            micro_batch: whole(),
            gradient_checkpointing: false,
            optimizer: adamw(),
            load_in_4bit: None,
            quantization: nf4(),
            double_quantization: yes(),
            preference: None,
            beta: beta(),
            checkpoint_every: 0,
            checkpoint_seconds: minute(),
            deterministic: false,
            matrix_rate: None,
        }
    }

    /// Whether the base is held in 4 bits.
    #[must_use]
    pub fn packs(&self) -> bool {
        self.load_in_4bit.unwrap_or(self.method == Method::Qlora)
    }

    /// Whether it learns from pairs of answers.
    #[must_use]
    pub fn prefers(&self) -> bool {
        self.preference.unwrap_or(self.method == Method::Dpo)
    }

    /// Longest sequence in tokens.
    #[must_use]
    pub fn context(&self) -> usize {
        self.context.unwrap_or(self.pick(256, 512))
    }

    /// Passes over the data.
    #[must_use]
    pub fn epochs(&self) -> f64 {
        self.epochs.unwrap_or(self.pick(4.0, 3.0))
    }

    /// Sequences at a time.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch.unwrap_or(8)
    }

    /// Highest learning rate for a model of that width. Wider layers take smaller steps.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a width is far below 2^52")]
    pub fn learning_rate(&self, width: i64) -> f64 {
        let of_method = match self.method {
            Method::Pretrain => 3e-3,
            Method::Full => 0.05 / width.clamp(200, 10_000) as f64,
            _ if self.prefers() => 0.2 / width.clamp(200, 10_000) as f64,
            _ => 0.7 / width.clamp(200, 10_000) as f64,
        };
        self.learning_rate.unwrap_or(of_method)
    }

    /// AdamW's decay of matrices.
    #[must_use]
    pub fn weight_decay(&self) -> f64 {
        self.weight_decay.unwrap_or(self.pick(0.1, 0.0))
    }

    /// What the adapters' `alpha` is.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rank is at most 1024")]
    pub fn alpha(&self) -> f64 {
        self.alpha.unwrap_or(2.0 * self.rank as f64)
    }

    /// Optimizer steps for data of so many sequences.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive count far below 2^52"
    )]
    pub fn steps(&self, sequences: usize) -> u64 {
        if let Some(steps) = self.steps {
            return steps;
        }
        let of_epochs =
            (sequences as f64 * self.epochs() / (self.batch() * self.accumulate) as f64).ceil() as u64;
        match self.max_steps.unwrap_or(self.pick(300, 160)) {
            0 => of_epochs.max(1),
            most => of_epochs.clamp(1, most),
        }
    }

    /// Checks the bounds that the schema states, and that the keys suit the method.
    ///
    /// # Errors
    /// `train.config`, naming the key.
    pub fn check(&self) -> Result<(), OperatorError> {
        let share = 0.0..=1.0;
        let (adapts, method) = (self.method.adapts(), self.method);
        let bounds: [(&str, bool, &str); 18] = [
            ("threads", (1..=1024).contains(&self.threads), "1 to 1024"),
            (
                "context",
                (16..=131_072).contains(&self.context()),
                "16 to 131072",
            ),
            ("steps", self.steps != Some(0), "1 or more"),
            ("epochs", (0.01..=1000.0).contains(&self.epochs()), "0.01 to 1000"),
            ("batch", (1..=4096).contains(&self.batch()), "1 to 4096"),
            ("accumulate", (1..=4096).contains(&self.accumulate), "1 to 4096"),
            (
                "learning_rate",
                share.contains(&self.learning_rate.unwrap_or_default()),
                "0 to 1",
            ),
            ("warmup", share.contains(&self.warmup), "0 to 1"),
            ("weight_decay", share.contains(&self.weight_decay()), "0 to 1"),
            ("clip_norm", self.clip_norm >= 0.0, "0 or more"),
            ("eval_share", (0.0..=0.9).contains(&self.eval_share), "0 to 0.9"),
            (
                "eval_rows",
                (1..=100_000).contains(&self.eval_rows),
                "1 to 100000",
            ),
            ("rank", (1..=1024).contains(&self.rank), "1 to 1024"),
            (
                "beta",
                self.beta > 0.0 && self.beta <= 10.0,
                "above 0, at most 10",
            ),
            (
                "micro_batch",
                self.micro_batch != MicroBatch::Fixed(0),
                "`all`, `auto`, or 1 or more",
            ),
            (
                "load_in_4bit",
                (adapts || !self.packs()) && (method != Method::Qlora || self.packs()),
                "`true` with an adapter only, and leave it out with `method: qlora`",
            ),
            (
                "preference",
                (adapts || !self.prefers()) && (method != Method::Dpo || self.prefers()),
                "`true` with an adapter only, and leave it out with `method: dpo`",
            ),
            (
                "targets",
                self.targets.names().is_none_or(|names| {
                    !names.is_empty() && names.iter().all(|name| !name.trim().is_empty())
                }),
                "`all-linear`, or at least one layer, such as `[q_proj, v_proj]`",
            ),
        ];
        match bounds.into_iter().find(|(_, holds, _)| !holds) {
            None => Ok(()),
            Some((key, _, bounds)) => Err(OperatorError::config(
                "train.config",
                format!("`{key}` is out of its bounds"),
                format!("Set `{key}` to {bounds}."),
            )),
        }
    }

    fn pick<T>(&self, pretrain: T, lora: T) -> T {
        if self.method.pretrains() { pretrain } else { lora }
    }
}

fn auto() -> String {
    "auto".to_owned()
}

fn two() -> u32 {
    2
}

fn precision() -> Precision {
    Precision::Auto
}

fn nano() -> Size {
    Size::Nano
}

fn one() -> usize {
    1
}

fn warmup() -> f64 {
    0.1
}

fn cosine() -> Schedule {
    Schedule::Cosine
}

fn clip_norm() -> f64 {
    1.0
}

fn eval_every() -> u64 {
    50
}

fn eval_rows() -> usize {
    64
}

fn eval_share() -> f64 {
    EVAL_SHARE
}

fn rank() -> i64 {
    16
}

fn all_linear() -> Targets {
    Targets::AllLinear
}

fn answer() -> LossOn {
    LossOn::Answer
}

fn whole() -> MicroBatch {
    MicroBatch::Whole
}

fn adamw() -> Optimizer {
    Optimizer::Adamw
}

fn nf4() -> Quantization {
    Quantization::Nf4
}

fn yes() -> bool {
    true
}

fn beta() -> f64 {
    0.1
}

fn minute() -> u64 {
    60
}
