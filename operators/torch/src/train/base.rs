//! Where a model's files are: a model of the registry, checked out, a folder, or a model of the hub.

use std::path::{Path, PathBuf};

use tch::{Device, Kind};
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::{ModelManifest, VersionId};

use crate::{
    ModelError,
    checkpoint::{
        Checkpoint,
        hub::{self, HubName},
        read_json,
    },
    nn::{Architecture, Decoder, weight::Bits},
};

/// The weights of an adapter; a model that has this file needs a base.
pub const ADAPTER_WEIGHTS: &str = "adapter_model.safetensors";

/// A model whose files are at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its folder.
    pub dir: PathBuf,
    /// Its version, when it comes from the registry.
    pub id: Option<VersionId>,
    /// Its name with the commit, when it comes from the hub.
    pub hub: Option<HubName>,
}

impl Base {
    /// The model at an input port or, where that is not connected, of `path`: a folder, or a name on the hub; `None`
    /// without either.
    ///
    /// # Errors
    /// `train.base_path` when it is neither, `model.hub_*` when the hub does not give it, `train.base_is_adapter`, or what the store says.
    pub async fn find(
        context: &Context,
        port: &str,
        path: Option<&str>,
    ) -> Result<Option<Self>, OperatorError> {
        if let [input, ..] = context.inputs(port) {
            let manifest = context.store().model_exact(&input.id).await?;
            return Self::checked_out(context, &manifest, port).await.map(Some);
        }
        match path {
            Some(path) => Self::named(path).await.map(Some),
            None => Ok(None),
        }
    }

    /// A folder with a checkpoint, or a model of the hub by name; what is not in its cache is downloaded.
    ///
    /// # Errors
    /// `train.base_path` when it is neither, `model.hub_*` when the hub does not give it.
    pub async fn named(path: &str) -> Result<Self, OperatorError> {
        let reference = path.to_owned();
        let found = tokio::task::spawn_blocking(move || hub::locate(&reference)).await?;
        match found {
            Ok(found) => Ok(Self {
                dir: found.dir,
                id: None,
                hub: found.hub,
            }),
            Err(error @ ModelError::Input { .. }) => Err(OperatorError::config(
                "train.base_path",
                error,
                "Give the folder of a Hugging Face checkpoint or a name on the hub (`owner/name@revision`), or connect \
                 the input `base`.",
            )),
            Err(error) => Err(error.into()),
        }
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
            hub: None,
        })
    }

    /// `name@version`, `owner/name@commit`, or the folder.
    #[must_use]
    pub fn name(&self) -> String {
        let id = self.id.as_ref().map(ToString::to_string);
        id.or_else(|| self.hub.as_ref().map(ToString::to_string))
            .unwrap_or_else(|| self.dir.display().to_string())
    }

    /// The same as other tools take it: a model of the hub without its commit.
    #[must_use]
    pub fn plain_name(&self) -> String {
        self.hub.as_ref().map_or_else(|| self.name(), HubName::plain)
    }

    /// How it is made, without reading its weights.
    ///
    /// # Errors
    /// As [`Architecture::from_config`], or what is wrong with config.json.
    pub fn architecture(&self) -> Result<Architecture, ModelError> {
        let path = self.dir.join("config.json");
        Architecture::from_config(&read_json(&path, &self.dir)?, &path)
    }

    /// Reads it.
    ///
    /// # Errors
    /// As [`Checkpoint::open`] and [`Decoder::load`].
    pub fn load(&self, device: Device, kind: Kind) -> Result<Decoder, ModelError> {
        Decoder::load(&Checkpoint::open(&self.dir)?, device, kind)
    }

    /// Reads it, its layers in 4 bits.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_packed(
        &self,
        device: Device,
        kind: Kind,
        bits: Bits,
        double: bool,
    ) -> Result<Decoder, ModelError> {
        Decoder::load_packed(&Checkpoint::open(&self.dir)?, device, kind, bits, double)
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
