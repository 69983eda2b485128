//! The models that are compared: where their files are, and what they sit on.

use std::path::PathBuf;

use serde_json::Value;
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::ModelManifest;

use crate::train::base::{ADAPTER_WEIGHTS, Base};

/// A model with its files at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// `name@version`.
    pub name: String,
    /// The whole model: itself, or what its adapter sits on.
    pub base: Base,
    /// Its adapter.
    pub adapter: Option<PathBuf>,
}

impl Subject {
    /// A model of the registry. An adapter is put on `on` where that is given, else on the base that it was trained on.
    ///
    /// # Errors
    /// `evaluate.no_base`, or what the store says.
    pub async fn find(
        context: &Context,
        manifest: &ModelManifest,
        folder: &str,
        on: Option<&Base>,
    ) -> Result<Self, OperatorError> {
        let name = manifest.id().to_string();
        if !manifest.data.files.contains_key(ADAPTER_WEIGHTS) {
            let base = Base::checked_out(context, manifest, folder).await?;
            return Ok(Self {
                name,
                base,
                adapter: None,
            });
        }
        let dir = context.work_dir().join(folder);
        context.store().checkout_model(manifest, &dir).await?;
        let base = match on {
            Some(base) => base.clone(),
            None => own_base(context, manifest, &format!("{folder}-base")).await?,
        };
        Ok(Self {
            name,
            base,
            adapter: Some(dir),
        })
    }
}

/// What an adapter was trained on.
///
/// # Errors
/// `evaluate.no_base` where it does not say, `train.base_path` where the folder is gone, or what the store says.
pub async fn own_base(
    context: &Context,
    manifest: &ModelManifest,
    folder: &str,
) -> Result<Base, OperatorError> {
    if let Some(id) = &manifest.data.base {
        let base = context.store().model_exact(id).await?;
        return Base::checked_out(context, &base, folder).await;
    }
    match manifest.data.config.get("base_path").and_then(Value::as_str) {
        Some(path) => Base::named(path).await,
        None => Err(OperatorError::config(
            "evaluate.no_base",
            format!(
                "{} does not say which model it is to be compared with",
                manifest.id()
            ),
            "Connect the input `base`, or set `base_path`.",
        )),
    }
}
