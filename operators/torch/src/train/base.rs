//! Where a model's files are: a model of the registry, checked out, or a folder.

use std::path::{Path, PathBuf};

use tch::{Device, Kind};
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::{ModelManifest, VersionId};

use crate::{ModelError, checkpoint::Checkpoint, nn::Decoder};

/// The weights of an adapter; a model that has this file needs a base.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// A model whose files are at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its folder.
    pub dir: PathBuf,
    /// Its version, when it comes from the registry.
    pub id: Option<VersionId>,
}

impl Base {
    /// The model at an input port or, where that is not connected, of the folder `path`; `None` without either.
    ///
    /// # Errors
    /// `train.base_path` when the folder is not there, `train.base_is_adapter`, or what the store says.
    pub async fn find(
        context: &Context,
        port: &str,
        path: Option<&str>,
    ) -> Result<Option<Self>, OperatorError> {
        if let [input, ..] = context.inputs(port) {
            let manifest = context.store().model_exact(&input.id).await?;
            return Self::checked_out(context, &manifest, port).await.map(Some);
        }
        path.map(Self::folder).transpose()
    }

    /// A folder with a checkpoint.
    ///
    /// # Errors
    /// `train.base_path` when it is not there.
    pub fn folder(path: &str) -> Result<Self, OperatorError> {
        let dir = PathBuf::from(path);
        if dir.is_dir() {
            return Ok(Self { dir, id: None });
        }
        Err(OperatorError::config(
            "train.base_path",
            format!("there is no folder {path}"),
            "Give the folder of a Hugging Face checkpoint, or connect the input `base`.",
        ))
    }

    /// A model of the registry, in a folder of the attempt.
    ///
    /// # Errors
    /// `train.base_is_adapter`, or what the store says.
    pub async fn checked_out(
        context: &Context,
        manifest: &ModelManifest,
        folder: &str,
    ) -> Result<Self, OperatorError> {
        if manifest.data.files.contains_key(ADAPTER_WEIGHTS) {
            return Err(OperatorError::config(
                "train.base_is_adapter",
                format!("{} is an adapter, not a whole model", manifest.id()),
                "Use the model that the adapter sits on.",
            ));
        }
        let dir = context.work_dir().join(folder);
        context.store().checkout_model(manifest, &dir).await?;
        Ok(Self {
            dir,
            id: Some(manifest.id()),
        })
    }

    /// `name@version`, or the folder.
    #[must_use]
    pub fn name(&self) -> String {
        self.id
            .as_ref()
            .map_or_else(|| self.dir.display().to_string(), ToString::to_string)
    }

    /// Reads it.
    ///
    /// # Errors
    /// As [`Checkpoint::open`] and [`Decoder::load`].
    pub fn load(&self, device: Device, kind: Kind) -> Result<Decoder, ModelError> {
        Decoder::load(&Checkpoint::open(&self.dir)?, device, kind)
    }
}

/// The names among `names` that are files of the folder, with their paths.
#[must_use]
pub fn present(dir: &Path, names: &[&'static str]) -> Vec<(&'static str, PathBuf)> {
    names
        .iter()
        .map(|name| (*name, dir.join(name)))
        .filter(|(_, path)| path.is_file())
        .collect()
}
