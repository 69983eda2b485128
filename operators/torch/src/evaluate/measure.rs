//! What a model does with the sampled rows.

use std::{collections::BTreeMap, path::Path};

use twinloom_operators::evaluate::Config;
use twinloom_sdk::{Context, OperatorError};

use super::{
    ability::{self, Item},
    memorisation::{is_extracted, recited_share},
    sample::Sample,
};
use crate::{
    ModelError,
    generate::{Sampling, TextModel},
    tokenizer::Message,
    train::{
        Loss, losses,
        rows::{Encoded, Row, encode},
        tokens::TokenWriter,
    },
};

/// A model's figures.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Loss by document, in the order of their ids, with the bytes that it covers.
    pub documents: BTreeMap<String, Covered>,
    /// The same of others' texts.
    pub control: BTreeMap<String, Covered>,
    /// Of each everyday question whether it was answered right.
    pub ability: Vec<bool>,
    /// Of each probe the share of its continuation that stands in the training text.
    pub recited: Vec<f64>,
    /// Probes that were gone on with word for word.
    pub extracted: usize,
    /// The continuation that recites most.
    pub most_recited: Option<String>,
    /// What it wrote to held-out instructions.
    pub written: Vec<String>,
}

/// The loss on some text.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Covered {
    /// The loss.
    pub loss: Loss,
    /// Bytes of the text that was predicted.
    pub bytes: u64,
}

/// What every model is measured with.
pub struct Material {
    /// Rows of the author.
    pub sample: Sample,
    /// Rows of others.
    pub control: Vec<Row>,
    /// Everyday questions.
    pub items: Vec<Item>,
}

/// Loss by document.
///
/// # Errors
/// `task.cancelled`, or what the model says.
pub fn by_document(
    context: &Context,
    config: &Config,
    model: &TextModel,
    rows: &[Row],
    work: &Path,
) -> Result<BTreeMap<String, Covered>, OperatorError> {
    let mut writer = TokenWriter::create(&work.join("evaluate.tokens"))?;
    let mut about = Vec::new();
    for row in rows {
        let Encoded { tokens, given, .. } =
            encode(model.tokenizer(), row, config.context, model.vocabulary())?;
        if tokens.len() > given {
            let bytes = model
                .tokenizer()
                .decode(tokens.get(given..).unwrap_or_default())?
                .len() as u64;
            about.push((row.document.clone(), bytes));
            writer.push(&tokens, given)?;
        }
    }
    let file = writer.finish()?;
    let each = losses(model.decoder(), &file, file.sequences(), || {
        context.check_cancelled()
    })?;
    let mut documents: BTreeMap<String, Covered> = BTreeMap::new();
    for ((document, bytes), loss) in about.into_iter().zip(each) {
        let all = documents.entry(document).or_default();
        *all = Covered {
            loss: all.loss.plus(loss),
            bytes: all.bytes + bytes,
        };
    }
    Ok(documents)
}

/// Everything of one model.
///
/// # Errors
/// `task.cancelled`, or what the model says.
pub fn measure(
    context: &Context,
    config: &Config,
    model: &TextModel,
    material: &Material,
) -> Result<Measured, OperatorError> {
    let work = context.work_dir();
    let sample = &material.sample;
    let control = match material.control.as_slice() {
        [] => BTreeMap::new(),
        rows => by_document(context, config, model, rows, work)?,
    };
    let mut measured = Measured {
        documents: by_document(context, config, model, &sample.held, work)?,
        control,
        ability: ability::answers(model, &material.items, work, || context.check_cancelled())?,
        ..Measured::default()
    };
    let mut most = 0.0;
    for row in sample.train.iter().take(config.memorisation.probes) {
        context.check_cancelled()?;
        let Some(probe) = probe(config, model, row)? else {
            continue;
        };
        if probe.share > most {
            (most, measured.most_recited) = (probe.share, Some(probe.text));
        }
        measured.recited.push(probe.share);
        measured.extracted += usize::from(probe.extracted);
    }
    for (row, seed) in sample.held.iter().take(config.style.samples).zip(0..) {
        context.check_cancelled()?;
        let sampling = Sampling {
            max_new_tokens: config.style.tokens,
            temperature: config.style.temperature,
            seed,
            ..Sampling::default()
        };
        measured
            .written
            .push(model.chat(&[Message::user(&row.instruction)], &sampling)?.text);
    }
    Ok(measured)
}

struct Probe {
    share: f64,
    extracted: bool,
    text: String,
}

/// Lets the model go on with a training answer. `None` where the answer is too short to go on.
fn probe(config: &Config, model: &TextModel, row: &Row) -> Result<Option<Probe>, ModelError> {
    let Encoded { tokens, given, .. } = encode(model.tokenizer(), row, config.context, model.vocabulary())?;
    let cut = given + config.memorisation.prompt_tokens;
    let Some((prompt, truth)) = tokens.split_at_checked(cut).filter(|(_, truth)| truth.len() > 8) else {
        return Ok(None);
    };
    let sampling = Sampling {
        max_new_tokens: config.memorisation.continuation_tokens,
        ..Sampling::default()
    };
    let written = model.generate(prompt, &sampling)?;
    Ok(Some(Probe {
        share: recited_share(&written.tokens, truth),
        extracted: is_extracted(&written.tokens, truth),
        text: written.text,
    }))
}
