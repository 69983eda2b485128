//! `method: lora`: adapters on a frozen base, on instructions and answers; the loss is on the answers only.

use std::{fs, path::Path};

use futures::TryStreamExt;
use serde_json::{Value, json};
use twinloom_operators::train::{Config, Projection};
use twinloom_sdk::{Context, OperatorError, Outcome};

use super::{
    Curve, Fit,
    base::{Base, present},
    output::{Trained, stage},
    rows::{encode, rows},
    run::{kind, set_threads},
    tokens::{TokenFile, TokenWriter},
};
use crate::{
    ModelError, device,
    nn::{Adapter, AdapterConfig},
    tokenizer::{TOKENIZER_FILES, TextTokenizer},
};

/// Reads, trains, stages.
pub async fn run(context: &Context, config: Config) -> Result<Outcome, OperatorError> {
    let base = Base::find(context, "base", config.base_path.as_deref())
        .await?
        .ok_or_else(|| {
            OperatorError::config(
                "train.no_base",
                "there is no base model to fine-tune",
                "Connect the input `base`, or set `base_path` to the folder of a Hugging Face checkpoint or a name on the hub.",
            )
        })?;
    let tokenizer = TextTokenizer::load(&base.dir)?;
    let (train, held) = tokens(context, &config, &tokenizer).await?;
    if held.sequences().is_empty() {
        return Err(OperatorError::data(
            "train.no_held_out",
            "no row of `instruct` has the split `eval`, so nothing would tell whether the training helped",
            "Add documents, or raise `split.share` of `instruct`.",
        ));
    }
    context.info(format!(
        "{} rows to learn from ({} tokens), {} held out, base {}",
        train.sequences().len(),
        train.targets(),
        held.sequences().len(),
        base.name(),
    ));
    let dir = context.work_dir().join("adapter");
    let (attempt, settings, out, on) = (context.clone(), config.clone(), dir.clone(), base.clone());
    let (curve, about) =
        tokio::task::spawn_blocking(move || fit(&attempt, &settings, &on, &train, &held, &out)).await??;
    stage(
        context,
        Trained {
            dir,
            base: Some(base),
            about,
            curve,
            config,
        },
    )
    .await
}

/// Tokens of the rows of both sides.
async fn tokens(
    context: &Context,
    config: &Config,
    tokenizer: &TextTokenizer,
) -> Result<(TokenFile, TokenFile), OperatorError> {
    let mut train = TokenWriter::create(&context.work_dir().join("train.tokens"))?;
    let mut held = TokenWriter::create(&context.work_dir().join("eval.tokens"))?;
    let mut rows = rows(context).await?;
    let mut read = 0;
    while let Some(row) = rows.try_next().await? {
        context.check_cancelled()?;
        let (tokens, given) = encode(tokenizer, &row, config.context())?;
        if row.eval {
            held.push(&tokens, given)?
        } else {
            train.push(&tokens, given)?
        };
        read += 1;
        context.progress(read, None, "rows");
    }
    Ok((train.finish()?, held.finish()?))
}

fn fit(
    context: &Context,
    config: &Config,
    base: &Base,
    train: &TokenFile,
    held: &TokenFile,
    out: &Path,
) -> Result<(Curve, Value), OperatorError> {
    set_threads(config.threads);
    let device = device::parse(&config.device)?;
    let mut model = base.load(device, kind(config.precision, device))?;
    let wanted = AdapterConfig {
        r: config.rank,
        lora_alpha: config.alpha(),
        target_modules: config
            .targets
            .iter()
            .map(|target| target.as_str().to_owned())
            .collect(),
        use_rslora: false,
        base_model_name_or_path: Some(base.plain_name()),
    };
    let adapter = Adapter::new(&model, wanted, config.seed)?;
    model.attach(&adapter)?;
    let weights = adapter.weights();
    let fit = Fit {
        context,
        config,
        model: &model,
        weights,
        train,
        held: Some(held),
        seed: config.seed,
    };
    let curve = fit.run()?;
    adapter.save(out)?;
    for (name, from) in present(&base.dir, &TOKENIZER_FILES) {
        fs::copy(&from, out.join(name)).map_err(|source| ModelError::Io { path: from, source })?;
    }
    let targets: Vec<&str> = config.targets.iter().copied().map(Projection::as_str).collect();
    let about = json!({
        "peft_type": "LORA",
        "r": config.rank,
        "lora_alpha": config.alpha(),
        "target_modules": targets,
        "base_model_name_or_path": base.plain_name(),
    });
    Ok((curve, about))
}
