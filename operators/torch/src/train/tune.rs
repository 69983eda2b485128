//! Fine-tuning of a base: all of its weights, or adapters on it; on instructions and answers, or on preferences.

use std::{fs, path::Path};

use futures::TryStreamExt;
use serde_json::{Value, json};
use tch::Device;
use twinloom_operators::train::{Config, LossOn, Method, Quantization};
use twinloom_sdk::{Context, OperatorError, Outcome};

use super::{
    Curve, Fit,
    base::{Base, present},
    limit::Bound,
    output::{Trained, stage},
    pairs::pairs,
    preference::Preference,
    resume::Keeper,
    rows::{Cut, Encoded, Row, encode, rows},
    run::{kind, set_deterministic, set_threads, type_name},
    tokens::{TokenFile, TokenWriter},
};
use crate::{
    ModelError,
    checkpoint::write_safetensors,
    device,
    nn::{Adapter, AdapterConfig, Decoder, weight::Bits},
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
    let from = if config.prefers() {
        "preferences"
    } else {
        "instruct"
    };
    let vocabulary = base.architecture()?.vocabulary;
    let (train, held) = tokens(context, &config, &tokenizer, vocabulary).await?;
    if held.sequences().is_empty() {
        return Err(OperatorError::data(
            "train.no_held_out",
            format!(
                "no row of `{from}` has the split `eval`, so nothing would tell whether the training helped"
            ),
            "Add documents, or raise `eval_share` of `instruct`.",
        ));
    }
    context.info(format!(
        "{} rows to learn from ({} tokens), {} held out, base {}",
        train.sequences().len(),
        train.targets(),
        held.sequences().len(),
        base.name(),
    ));
    let dir = context.work_dir().join("model");
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

/// Tokens of the rows of both sides; of preferences, the better and the worse answer after each other.
async fn tokens(
    context: &Context,
    config: &Config,
    tokenizer: &TextTokenizer,
    vocabulary: i64,
) -> Result<(TokenFile, TokenFile), OperatorError> {
    let mut train = TokenWriter::create(&context.work_dir().join("train.tokens"))?;
    let mut held = TokenWriter::create(&context.work_dir().join("eval.tokens"))?;
    let (mut read, mut cut) = (0, Cut::default());
    let encoded = |row: &Row| -> Result<Encoded, ModelError> {
        let mut encoded = encode(tokenizer, row, config.context(), vocabulary)?;
        if config.loss == LossOn::All {
            encoded.given = 1;
        }
        Ok(encoded)
    };
    let mut push = |row: &Row, encoded: &[Encoded]| -> Result<(), OperatorError> {
        let to = if row.eval { &mut held } else { &mut train };
        cut.count(encoded);
        // A pair stays together: both have something to predict, or neither is taken.
        if encoded.iter().all(|one| one.tokens.len() > one.given.max(1)) {
            for one in encoded {
                to.push(&one.tokens, one.given)?;
            }
        }
        read += 1;
        context.progress(read, None, "rows");
        context.check_cancelled()
    };
    if config.prefers() {
        let mut pairs = pairs(context).await?;
        while let Some((better, worse)) = pairs.try_next().await? {
            let worse = Row {
                answer: worse,
                ..better.clone()
            };
            push(&better, &[encoded(&better)?, encoded(&worse)?])?;
        }
    } else {
        let mut rows = rows(context).await?;
        while let Some(row) = rows.try_next().await? {
            push(&row, &[encoded(&row)?])?;
        }
    }
    cut.report(context, config.context());
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
    set_deterministic(config.deterministic)?;
    let device = device::parse(&config.device)?;
    let kind = kind(config.precision, device);
    let mut model = if config.packs() {
        base.load_packed(
            device,
            kind,
            bits(config.quantization),
            config.double_quantization,
        )?
    } else {
        base.load(device, kind)?
    };
    // A GPU's own memory is another's. Only now: a checkpoint's mapped files count as memory, and take none.
    let _bound = (device == Device::Cpu).then(Bound::by_machine);
    // Of the base as it is held: what 4 bits cost is no preference.
    let preference = if config.prefers() {
        let keeper = Keeper::new(context, config);
        Some(Preference::of_base(
            context, config, &keeper, &model, train, held,
        )?)
    } else {
        None
    };
    let adapter = prepare(&mut model, config, base)?;
    let weights = match &adapter {
        Some(adapter) => adapter.weights(),
        None => model
            .named_weights()
            .into_iter()
            .map(|(_, weight)| Ok(weight.f_set_requires_grad(true)?))
            .collect::<Result<_, ModelError>>()?,
    };
    let fit = Fit {
        context,
        config,
        model: &model,
        weights,
        train,
        held: Some(held),
        preference,
        seed: config.seed,
    };
    let curve = fit.run()?;
    let about = match &adapter {
        Some(adapter) => {
            adapter.save(out)?;
            about(adapter.config())
        }
        None => save_whole(&model, base, out)?,
    };
    copy(base, &TOKENIZER_FILES, out)?;
    Ok((curve, about))
}

fn bits(quantization: Quantization) -> Bits {
    match quantization {
        Quantization::Nf4 => Bits::Nf4,
        Quantization::Int4 => Bits::Int4,
    }
}

/// Puts an adapter on; `None` where all weights are trained.
fn prepare(model: &mut Decoder, config: &Config, base: &Base) -> Result<Option<Adapter>, ModelError> {
    if !config.method.adapts() {
        return Ok(None);
    }
    let wanted = AdapterConfig {
        r: config.rank,
        lora_alpha: config.alpha(),
        target_modules: config
            .targets
            .names()
            .unwrap_or_default()
            .iter()
            .cloned()
            .collect(),
        use_rslora: config.method == Method::Rslora,
        use_dora: config.method == Method::Dora,
        base_model_name_or_path: Some(base.plain_name()),
        revision: base.hub.as_ref().map(|name| name.revision().to_owned()),
        ..AdapterConfig::default()
    };
    let adapter = Adapter::new(model, wanted, config.seed)?;
    model.attach(&adapter)?;
    Ok(Some(adapter))
}

/// Writes all weights, in the type that they were trained in, beside the base's own configuration.
fn save_whole(model: &Decoder, base: &Base, out: &Path) -> Result<Value, ModelError> {
    fs::create_dir_all(out).map_err(|source| ModelError::Io {
        path: out.to_owned(),
        source,
    })?;
    write_safetensors(&out.join("model.safetensors"), &model.checkpoint_weights())?;
    copy(base, &["generation_config.json"], out)?;
    let mut about = crate::checkpoint::read_json(&base.dir.join("config.json"), &base.dir)?;
    if let Some(config) = about.as_object_mut() {
        config.remove("torch_dtype");
        config.insert("dtype".to_owned(), json!(type_name(model.kind())));
    }
    crate::checkpoint::write_config(&out.join("config.json"), &about)?;
    Ok(about)
}

fn copy(base: &Base, names: &[&'static str], out: &Path) -> Result<(), ModelError> {
    for (name, from) in present(&base.dir, names) {
        fs::copy(&from, out.join(name)).map_err(|source| ModelError::Io { path: from, source })?;
    }
    Ok(())
}

fn about(adapter: &AdapterConfig) -> Value {
    json!({
        "peft_type": "LORA",
        "r": adapter.r,
        "lora_alpha": adapter.lora_alpha,
        "use_rslora": adapter.use_rslora,
        "use_dora": adapter.use_dora,
        "target_modules": adapter.target_modules,
        "base_model_name_or_path": adapter.base_model_name_or_path,
        "revision": adapter.revision,
    })
}
