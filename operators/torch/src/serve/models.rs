//! The models that are loaded, by folder.

use std::path::{Path, PathBuf};

use tch::{Device, Kind};

use crate::{
    ModelError,
    embed::{Embedder, EmbedderOptions, embedder_dir},
    generate::TextModel,
};

/// So many language models stay loaded; the one that was not used for longest goes first.
const KEPT: usize = 2;

/// Loaded models. An adapter is switched on its base, which is loaded once.
pub struct Models {
    device: Device,
    kind: Option<Kind>,
    embedder: Option<((PathBuf, Option<usize>), Embedder)>,
    /// The last used comes last.
    texts: Vec<(PathBuf, TextModel)>,
}

impl Models {
    /// None yet; they will be loaded to `device`, as `kind` or in the type that each names itself.
    #[must_use]
    pub fn new(device: Device, kind: Option<Kind>) -> Self {
        Self {
            device,
            kind,
            embedder: None,
            texts: Vec::new(),
        }
    }

    /// The embedder of a folder, or of the environment.
    ///
    /// # Errors
    /// What is missing or wrong in the folder.
    pub fn embedder(
        &mut self,
        dir: Option<&Path>,
        max_length: Option<usize>,
    ) -> Result<&Embedder, ModelError> {
        let named = dir.map(|dir| dir.to_string_lossy().into_owned());
        let key = (embedder_dir(named.as_deref())?, max_length);
        let held = match self.embedder.take() {
            Some(held) if held.0 == key => held,
            _ => {
                let options = EmbedderOptions {
                    device: self.device,
                    max_length,
                    ..EmbedderOptions::default()
                };
                let embedder = Embedder::open(&key.0, options)?;
                (key, embedder)
            }
        };
        Ok(&self.embedder.insert(held).1)
    }

    /// The language model of a folder.
    ///
    /// # Errors
    /// What is missing or wrong in the folder.
    pub fn text_model(&mut self, dir: &Path) -> Result<&mut TextModel, ModelError> {
        let held = match self.texts.iter().position(|(held, _)| held == dir) {
            Some(at) => self.texts.remove(at),
            None => {
                if self.texts.len() >= KEPT {
                    self.texts.remove(0);
                }
                (dir.to_owned(), TextModel::load(dir, self.device, self.kind)?)
            }
        };
        self.texts.push(held);
        match self.texts.last_mut() {
            Some((_, model)) => Ok(model),
            None => Err(ModelError::input("no model is loaded", "Send the request again.")),
        }
    }
}
