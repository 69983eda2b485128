//! `method: pretrain`: a small Llama from nothing, on whole documents.

use std::{collections::HashSet, fs, path::Path};

use futures::TryStreamExt;
use serde_json::{Value, json};
use tch::{Device, Kind};
use twinloom_operators::train::{Config, Size};
use twinloom_sdk::{Context, OperatorError, Outcome};

use super::{
    Curve, Fit,
    documents::{Side, documents, held_out},
    limit::Bound,
    output::{Trained, stage},
    run::{kind, set_deterministic, set_threads, type_name},
    tokens::{TokenFile, TokenWriter},
};
use crate::{
    ModelError,
    checkpoint::{write_config, write_safetensors},
    device,
    nn::{Architecture, Decoder},
    tokenizer::{TOKENIZER_FILES, TextTokenizer},
};

/// Positions that a model takes at least, whatever it is trained at: rotary positions go a little further.
const POSITIONS: usize = 1024;

/// Reads, trains, stages.
pub async fn run(context: &Context, config: Config) -> Result<Outcome, OperatorError> {
    let from = context.work_dir().join("tokenizer");
    context
        .store()
        .checkout_model(context.model("tokenizer").await?.as_ref(), &from)
        .await?;
    let tokenizer = TextTokenizer::load(&from)?;
    let held_ids = held_out(context).await?;
    let train = tokens(context, &config, &tokenizer, &held_ids, Side::Train).await?;
    let held = tokens(context, &config, &tokenizer, &held_ids, Side::Eval).await?;
    if held.sequences().is_empty() {
        context.warn("no document is held out: the held-out loss cannot be measured");
    }
    context.info(format!(
        "{} tokens to learn from, {} held out",
        train.targets(),
        held.targets()
    ));
    let dir = context.work_dir().join("model");
    let (attempt, settings, out) = (context.clone(), config.clone(), dir.clone());
    let (curve, about) =
        tokio::task::spawn_blocking(move || fit(&attempt, &settings, &tokenizer, &train, &held, &out))
            .await??;
    let trained = Trained {
        dir,
        base: None,
        about,
        curve,
        config,
    };
    stage(context, trained).await
}

/// All documents of a side, each between start and end of text, as blocks.
async fn tokens(
    context: &Context,
    config: &Config,
    tokenizer: &TextTokenizer,
    held: &HashSet<String>,
    side: Side,
) -> Result<TokenFile, OperatorError> {
    let mut writer =
        TokenWriter::create(&context.work_dir().join(format!("{side:?}.tokens").to_lowercase()))?;
    let mut texts = documents(context, held, config.eval_share, side).await?;
    let mut read = 0;
    while let Some(document) = texts.try_next().await? {
        context.check_cancelled()?;
        let mut tokens: Vec<u32> = tokenizer.bos().into_iter().collect();
        tokens.extend(tokenizer.encode(&document.text)?);
        tokens.extend(tokenizer.eos());
        tokenizer.check_ids(&tokens, tokenizer.vocabulary() as i64)?;
        if config.packing {
            writer.push_cut(&tokens, config.context())?;
        } else {
            writer.append(&tokens)?;
        }
        read += 1;
        context.progress(read, None, "documents");
    }
    if config.packing {
        return Ok(writer.finish()?);
    }
    Ok(writer.finish_blocks(config.context())?)
}

fn fit(
    context: &Context,
    config: &Config,
    tokenizer: &TextTokenizer,
    train: &TokenFile,
    held: &TokenFile,
    out: &Path,
) -> Result<(Curve, Value), OperatorError> {
    set_threads(config.threads);
    set_deterministic(config.deterministic)?;
    let device = device::parse(&config.device)?;
    // A GPU's own memory is another's; the driver maps more than there is.
    let _bound = (device == Device::Cpu).then(Bound::by_machine);
    let architecture = architecture(config, tokenizer);
    let kind = kind(config.precision, device);
    let model = Decoder::random_in(architecture.clone(), config.seed, device, kind)?;
    let weights = model.named_weights();
    let trainable = weights
        .iter()
        .map(|(_, weight)| weight.set_requires_grad(true))
        .collect();
    let fit = Fit {
        context,
        config,
        model: &model,
        weights: trainable,
        train,
        held: Some(held),
        preference: None,
        seed: config.seed,
    };
    let curve = fit.run()?;
    fs::create_dir_all(out).map_err(|source| ModelError::Io {
        path: out.to_owned(),
        source,
    })?;
    write_safetensors(&out.join("model.safetensors"), &weights)?;
    let about = checkpoint_config(&architecture, kind, tokenizer);
    write_config(&out.join("config.json"), &about)?;
    write_config(&out.join("generation_config.json"), &generation_config(tokenizer))?;
    for name in TOKENIZER_FILES {
        let from = tokenizer.dir().join(name);
        if from.is_file() {
            fs::copy(&from, out.join(name)).map_err(|source| ModelError::Io { path: from, source })?;
        }
    }
    Ok((curve, about))
}

fn architecture(config: &Config, tokenizer: &TextTokenizer) -> Architecture {
    let (hidden, intermediate, layers, heads) = match config.size {
        Size::Tiny => (64, 192, 2, 4),
        Size::Nano => (256, 704, 4, 4),
        Size::Small => (512, 1408, 8, 8),
    };
    Architecture {
        vocabulary: tokenizer.vocabulary() as i64,
        hidden,
        intermediate,
        layers,
        heads,
        kv_heads: heads,
        head_dim: hidden / heads,
        max_positions: config.context().max(POSITIONS) as i64,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tied: true,
        attention_bias: [false; 2],
        mlp_bias: false,
        ..Architecture::default()
    }
}

fn checkpoint_config(a: &Architecture, kind: Kind, tokenizer: &TextTokenizer) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": a.vocabulary,
        "hidden_size": a.hidden,
        "intermediate_size": a.intermediate,
        "num_hidden_layers": a.layers,
        "num_attention_heads": a.heads,
        "num_key_value_heads": a.kv_heads,
        "head_dim": a.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": a.max_positions,
        "rms_norm_eps": a.norm_eps,
        "rope_theta": a.rope_theta,
        "tie_word_embeddings": a.tied,
        "attention_bias": false,
        "mlp_bias": false,
        "initializer_range": 0.02,
        "torch_dtype": type_name(kind),
        "bos_token_id": tokenizer.bos(),
        "eos_token_id": tokenizer.eos(),
        "pad_token_id": 0,
    })
}

fn generation_config(tokenizer: &TextTokenizer) -> Value {
    json!({
        "bos_token_id": tokenizer.bos(),
        "eos_token_id": tokenizer.eos(),
        "pad_token_id": 0,
        "do_sample": true,
        "temperature": 0.7,
        "top_p": 0.95,
        "repetition_penalty": 1.1,
    })
}
