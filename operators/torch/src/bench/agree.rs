//! Whether a device computes what the CPU computes in fp32: the same models on both, side by side.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::{folder_name, generate::write, row, train::Tuned};
use crate::{
    ModelError,
    checkpoint::{Checkpoint, kind_named},
    device,
    embed::{Embedder, EmbedderOptions},
    generate::Libtorch,
    nn::{Decoder, weight::Bits},
    rerank::{Reranker, RerankerOptions},
    seeded::seeded,
    weights::Weights,
};

/// Side of the matrices whose product is compared.
const SIDE: i64 = 1024;
/// Tokens of the prompts that are continued, each of another length.
const PROMPTS: [usize; 3] = [5, 17, 40];
/// Tokens that continue them.
const NEW: usize = 24;
/// Texts of several lengths.
const TEXTS: [&str; 5] = [
    "Snow.",
    "Who keeps the minutes of the garden club?",
    "A write-ahead log lets a database survive a crash.",
    "The violin's bow hair is made from the tail of a horse, and the best of it is said to come from cold countries.",
    "Sourdough rises slowly overnight in a cool kitchen; what it lacks in speed it gives back in taste, and in the morning \
     the oven has only to be hot enough.",
];

/// What is compared.
#[derive(Debug, Clone, clap::Args)]
pub struct AgreeBench {
    /// Folder of a decoder's checkpoint; may be given several times.
    #[arg(long)]
    pub checkpoint: Vec<PathBuf>,
    /// Folder of an embedder; may be given several times.
    #[arg(long)]
    pub embedder: Vec<PathBuf>,
    /// Folder of a cross-encoder; may be given several times.
    #[arg(long)]
    pub reranker: Vec<PathBuf>,
    /// What is held against the CPU: cpu, cuda or cuda:N.
    #[arg(long, default_value = "cuda")]
    pub device: String,
    /// Type of the weights there: float32, bfloat16, or float16 (of decoders alone); the CPU's are fp32.
    #[arg(long, default_value = "float32")]
    pub dtype: String,
    /// Largest difference that counts as equal, as a share of the CPU's values.
    #[arg(long, default_value_t = 1e-3)]
    pub tolerance: f64,
    /// Tokens of a sequence that is trained on.
    #[arg(long, default_value_t = 64)]
    pub seq: usize,
    /// Rank of the adapters.
    #[arg(long, default_value_t = 8)]
    pub rank: i64,
}

/// A row for everything that was compared, handed to `say` as it is known.
///
/// # Errors
/// What is wrong with a model; `model.input`, naming all that differs by more than the tolerance.
pub fn agree(bench: &AgreeBench, say: &mut dyn FnMut(&Value)) -> Result<(), ModelError> {
    let there = Place {
        device: device::parse(&bench.device)?,
        kind: kind_named(&bench.dtype)?,
    };
    if !(bench.embedder.is_empty() && bench.reranker.is_empty()) {
        // Not after all decoders.
        there.weights()?;
    }
    let mut differ = Vec::new();
    let mut tell = |what: &str, model: &str, found: f64| {
        // What is no number is no agreement.
        let agrees = found <= bench.tolerance;
        if !agrees {
            differ.push(format!("{what} of {model} ({found:e})"));
        }
        let case = json!({"value": found, "what": what, "checkpoint": model, "device": bench.device,
            "dtype": bench.dtype, "tolerance": bench.tolerance, "agrees": agrees});
        say(&row("agree", "twinloom", found, "relative difference", case));
    };
    tell("product", "random matrices", product(there)?);
    for dir in &bench.checkpoint {
        for (what, found) in decoder(bench, dir, there)? {
            tell(what, &folder_name(dir), found);
        }
    }
    for dir in &bench.embedder {
        tell("embed", &folder_name(dir), embed(dir, there)?);
    }
    for dir in &bench.reranker {
        tell("rerank", &folder_name(dir), rerank(dir, there)?);
    }
    if differ.is_empty() {
        return Ok(());
    }
    Err(ModelError::input(
        format!("`{}` differs from the CPU: {}", bench.device, differ.join(", ")),
        "Nothing that this device computes is to be trusted until this is understood.",
    ))
}

/// Where a model runs, and in which type.
#[derive(Clone, Copy)]
struct Place {
    device: Device,
    kind: Kind,
}

const CPU: Place = Place {
    device: Device::Cpu,
    kind: Kind::Float,
};

impl Place {
    /// How encoders hold theirs.
    fn weights(self) -> Result<Weights, ModelError> {
        match self.kind {
            Kind::Float => Ok(Weights::F32),
            Kind::BFloat16 => Ok(Weights::Bf16),
            _ => Err(ModelError::input(
                "encoders are held in float32 or bfloat16",
                "Compare them in one of these, apart from the decoders.",
            )),
        }
    }
}

fn product(there: Place) -> Result<f64, ModelError> {
    let _guard = tch::no_grad_guard();
    let random = || Tensor::f_randn([SIDE, SIDE], (Kind::Float, Device::Cpu));
    let (a, b) = seeded(0, || Ok::<_, ModelError>((random()?, random()?)))?;
    let moved = |x: &Tensor| x.f_to_device(there.device)?.f_to_kind(there.kind);
    difference(&moved(&a)?.f_mm(&moved(&b)?)?, &a.f_mm(&b)?)
}

/// Logits, tokens, and training: dense, with layers computed again, and over 4 bits.
fn decoder(bench: &AgreeBench, dir: &Path, there: Place) -> Result<Vec<(&'static str, f64)>, ModelError> {
    let mut found = Vec::new();
    {
        let (theirs, ours) = (read(dir, CPU)?, read(dir, there)?);
        found.push(("logits", difference(&ours.0, &theirs.0)?));
        let other = ours.1.iter().zip(&theirs.1).filter(|(a, b)| a != b).count();
        found.push(("tokens", other as f64 / theirs.1.len().max(1) as f64));
    }
    let names = |what: [&'static str; 3], found: [f64; 3]| what.into_iter().zip(found);
    let lora = trained(bench, dir, CPU, None, false)?;
    for (names_of, recompute) in [
        (["lora loss", "lora gradients", "loss after a lora step"], false),
        (
            [
                "recomputed loss",
                "recomputed gradients",
                "loss after a recomputed step",
            ],
            true,
        ),
    ] {
        let ours = trained(bench, dir, there, None, recompute)?;
        found.extend(names(names_of, ours.beside(&lora)?));
    }
    let qlora = trained(bench, dir, CPU, Some(Bits::Nf4), false)?;
    let ours = trained(bench, dir, there, Some(Bits::Nf4), false)?;
    let what = ["qlora loss", "qlora gradients", "loss after a qlora step"];
    found.extend(names(what, ours.beside(&qlora)?));
    Ok(found)
}

/// Logits over a prompt, and the tokens that continue prompts of several lengths together.
fn read(dir: &Path, place: Place) -> Result<(Tensor, Vec<u32>), ModelError> {
    let _guard = tch::no_grad_guard();
    let decoder = Decoder::load(&Checkpoint::open(dir)?, place.device, place.kind)?;
    let vocabulary = decoder.architecture().vocabulary;
    let tokens = |length: usize| -> Vec<i64> {
        // Spread over the vocabulary, and the same everywhere.
        (1..=length as i64)
            .map(|at| (at * 7919) % vocabulary.max(1))
            .collect()
    };
    let longest = PROMPTS.into_iter().max().unwrap_or(1);
    let ids = Tensor::f_from_slice(&tokens(longest))?
        .f_view([1, -1])?
        .f_to_device(place.device)?;
    let logits = decoder
        .forward(&ids, Default::default())?
        .f_to_kind(Kind::Float)?
        .f_to_device(Device::Cpu)?;
    let prompts: Vec<Vec<u32>> = PROMPTS
        .iter()
        .map(|length| tokens(*length).iter().map(|id| *id as u32).collect())
        .collect();
    let mut runner = Libtorch::new(decoder, PROMPTS.len() * (longest + NEW));
    Ok((logits, write(&mut runner, &prompts, NEW)?.tokens))
}

/// What one step of training made.
struct Trained {
    loss: f64,
    gradients: Tensor,
    after: f64,
}

impl Trained {
    /// How far this is from another: loss, gradients, loss after the step.
    fn beside(&self, other: &Self) -> Result<[f64; 3], ModelError> {
        let share = |a: f64, b: f64| (a - b).abs() / b.abs().max(f64::MIN_POSITIVE);
        Ok([
            share(self.loss, other.loss),
            difference(&self.gradients, &other.gradients)?,
            share(self.after, other.after),
        ])
    }
}

fn trained(
    bench: &AgreeBench,
    dir: &Path,
    place: Place,
    bits: Option<Bits>,
    recompute: bool,
) -> Result<Trained, ModelError> {
    let mut tuned = Tuned::new(dir, place.device, place.kind, bench.rank, bits)?;
    // Half of the gradients are nothing as long as one factor is.
    tuned.fill(0.01)?;
    let batch = tuned.batch(2, bench.seq)?;
    let loss = tuned.backward(&batch, recompute)?;
    let gradients = tuned
        .adapter
        .weights()
        .iter()
        .map(|weight| {
            // A copy: the step sets gradients back where they lie.
            weight
                .f_grad()?
                .f_reshape([-1])?
                .f_detach_copy()?
                .f_to_device(Device::Cpu)
        })
        .collect::<Result<Vec<_>, _>>()?;
    tuned.step(&batch)?;
    let after = tch::no_grad(|| tuned.loss(&batch))?;
    Ok(Trained {
        loss,
        gradients: Tensor::f_cat(&gradients, 0)?,
        after,
    })
}

fn embed(dir: &Path, there: Place) -> Result<f64, ModelError> {
    let vectors = |place: Place| -> Result<Tensor, ModelError> {
        let options = EmbedderOptions {
            device: place.device,
            weights: place.weights()?,
            ..EmbedderOptions::default()
        };
        let found = Embedder::open(dir, options)?.embed(&TEXTS)?;
        Ok(Tensor::f_from_slice(&found.vectors)?)
    };
    difference(&vectors(there)?, &vectors(CPU)?)
}

fn rerank(dir: &Path, there: Place) -> Result<f64, ModelError> {
    let scores = |place: Place| -> Result<Tensor, ModelError> {
        let options = RerankerOptions {
            device: place.device,
            weights: place.weights()?,
            ..RerankerOptions::default()
        };
        let found = Reranker::open(dir, options)?.score(TEXTS[1], &TEXTS)?;
        Ok(Tensor::f_from_slice(&found.scores)?)
    };
    difference(&scores(there)?, &scores(CPU)?)
}

/// The size of the difference as a share of the expected size; infinite where something is no number.
fn difference(found: &Tensor, expected: &Tensor) -> Result<f64, ModelError> {
    let plain = |x: &Tensor| x.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double);
    let (found, expected) = (plain(found)?, plain(expected)?);
    let size = |x: &Tensor| x.f_norm()?.f_double_value(&[]);
    let share = size(&found.f_sub(&expected)?)? / size(&expected)?.max(f64::MIN_POSITIVE);
    Ok(if share.is_nan() { f64::INFINITY } else { share })
}
