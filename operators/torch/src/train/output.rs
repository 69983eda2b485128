//! Staging of a trained model.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value, json};
use twinloom_operators::train::Config;
use twinloom_sdk::{Context, Done, OperatorError, Outcome};

use super::{
    Curve,
    base::{ADAPTER_WEIGHTS, Base, present},
    card,
};
use crate::tokenizer::TOKENIZER_FILES;

/// Files that a trained model may have beside those of its tokenizer.
const MODEL_FILES: [&str; 5] = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "adapter_config.json",
    ADAPTER_WEIGHTS,
];

/// What a method made.
pub struct Trained {
    /// The folder of its files.
    pub dir: PathBuf,
    /// What an adapter sits on.
    pub base: Option<Base>,
    /// Architecture or adapter, as its own configuration file says it.
    pub about: Value,
    /// How it went.
    pub curve: Curve,
    /// What was asked.
    pub config: Config,
}

/// Stages the model with its card, and reports figures.
///
/// # Errors
/// What the store says.
pub async fn stage(context: &Context, trained: Trained) -> Result<Outcome, OperatorError> {
    let Trained {
        dir,
        base,
        about,
        curve,
        config,
    } = trained;
    let card = card::card(context, &config, base.as_ref(), &about, &curve);
    let figures = figures(&curve);
    let kind = if config.method.adapts() {
        "adapter"
    } else {
        "architecture"
    };
    let own = json!({"method": config.method.as_str(), kind: about});
    let described = merge(
        own,
        json!({
            "training": &config,
            "steps": curve.steps,
            "base_path": base.as_ref().filter(|base| base.id.is_none()).map(Base::name),
        }),
    );
    // A whole model stands without what it was made from.
    let id = base.and_then(|base| base.id).filter(|_| config.method.adapts());
    let mut model = context.stage_model("model", id, described, card.clone(), figures.clone())?;
    for (name, path) in present(&dir, &MODEL_FILES)
        .into_iter()
        .chain(present(&dir, &TOKENIZER_FILES))
    {
        model.add_file(name, &path).await?;
    }
    model.add_bytes("README.md", card.into()).await?;
    let staged = model.finish().await?;
    let speed = curve.tokens as f64 / curve.seconds.max(1e-9);
    let done = Done::new()
        .metric("seconds", curve.seconds)
        .metric("tokens_per_second", speed)
        .metric("resumed_from_step", curve.resumed_from as f64);
    let done = figures
        .into_iter()
        .fold(done, |done, (name, value)| done.metric(&name, value));
    Ok(done.model("model", staged).into())
}

/// What stays true of the model whenever and wherever it is trained again.
fn figures(curve: &Curve) -> BTreeMap<String, Value> {
    let mut figures = BTreeMap::from([
        ("steps".to_owned(), json!(curve.steps)),
        ("tokens".to_owned(), json!(curve.tokens)),
        ("train_loss_first".to_owned(), json!(curve.train.0)),
        ("train_loss".to_owned(), json!(curve.train.1)),
    ]);
    if let [first, .., last] = curve.held.as_slice() {
        figures.insert("eval_loss_before".to_owned(), json!(first.loss));
        figures.insert("eval_loss".to_owned(), json!(last.loss));
        let points: Vec<_> = curve
            .held
            .iter()
            .map(|point| json!([point.step, point.loss]))
            .collect();
        figures.insert("eval_curve".to_owned(), json!(points));
    }
    figures
}

fn merge(mut into: Value, from: Value) -> Value {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
    into
}
