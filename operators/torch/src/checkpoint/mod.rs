//! Hugging Face checkpoint folders: config.json, sharded safetensors, read through a memory map.
//!
//! A tensor of the wanted type is a view of the mapped file, which libtorch keeps open as long as a view lives; another
//! type is converted tensor by tensor, and what was converted leaves the memory. So a checkpoint is never twice in memory.

mod files;
mod header;
pub mod hub;
mod kinds;
mod llama2c;
mod merge;
mod pages;
mod write;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use tch::{Device, Kind, Tensor};

pub use kinds::{kind_named, kind_of_config};
pub use llama2c::convert_llama2c;
pub use merge::merge;
pub use write::{write_config, write_safetensors};

use crate::ModelError;
use header::Entry;

/// An open checkpoint: its configuration, and where each tensor is. Holds no weights itself.
pub struct Checkpoint {
    dir: PathBuf,
    config: serde_json::Value,
    files: Vec<(PathBuf, Tensor)>,
    entries: BTreeMap<String, (usize, Entry)>,
}

impl Checkpoint {
    /// Opens the folder and checks every file's header against its size.
    ///
    /// # Errors
    /// `model.file_missing`, `model.pickle`, `model.unreadable` or `model.damaged`, naming the file.
    pub fn open(dir: &Path) -> Result<Self, ModelError> {
        let config = read_json(&dir.join("config.json"), dir)?;
        let mut checkpoint = Self::open_files(dir, &files::weight_files(dir)?)?;
        checkpoint.config = config;
        Ok(checkpoint)
    }

    /// Opens single safetensors files of a folder (an adapter) without a config.json.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_files(dir: &Path, paths: &[PathBuf]) -> Result<Self, ModelError> {
        let mut files = Vec::new();
        let mut entries = BTreeMap::new();
        for path in paths {
            let (map, found) = header::read(path)?;
            entries.extend(
                found
                    .into_iter()
                    .map(|(name, entry)| (name, (files.len(), entry))),
            );
            files.push((path.clone(), map));
        }
        Ok(Self {
            dir: dir.to_owned(),
            config: serde_json::Value::Null,
            files,
            entries,
        })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// config.json as it is.
    #[must_use]
    pub fn config_json(&self) -> &serde_json::Value {
        &self.config
    }

    /// config.json as a type.
    ///
    /// # Errors
    /// `model.config`, naming the field.
    pub fn config<C: DeserializeOwned>(&self) -> Result<C, ModelError> {
        serde_json::from_value(self.config.clone()).map_err(|error| ModelError::Config {
            path: self.dir.join("config.json"),
            why: error.to_string(),
            hint: "Compare it with the config.json that the model was published with.".to_owned(),
        })
    }

    /// Bytes of its weight files.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.files.iter().map(|(_, map)| map.numel()).sum()
    }

    /// Values in all tensors.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let values = |entry: &Entry| usize::try_from(entry.shape.iter().product::<i64>()).unwrap_or(0);
        self.entries.values().map(|(_, entry)| values(entry)).sum()
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is a tensor of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Shape of a tensor.
    #[must_use]
    pub fn shape(&self, name: &str) -> Option<&[i64]> {
        self.entries.get(name).map(|(_, entry)| entry.shape.as_slice())
    }

    /// The tensor of that name, of the shape that the architecture asks for, on the device and of the type that is
    /// wanted.
    ///
    /// # Errors
    /// `model.tensor_missing`, `model.tensor_shape`, `model.tensor_kind`, or what libtorch says.
    pub fn tensor(
        &self,
        name: &str,
        shape: &[i64],
        device: Device,
        kind: Kind,
    ) -> Result<Tensor, ModelError> {
        let Some((file, entry)) = self.entries.get(name) else {
            return Err(self.missing(name));
        };
        let Some((path, map)) = self.files.get(*file) else {
            return Err(self.missing(name));
        };
        if entry.shape != shape {
            return Err(ModelError::TensorShape {
                path: path.clone(),
                name: name.to_owned(),
                found: entry.shape.clone(),
                expected: shape.to_vec(),
            });
        }
        let found = kinds::weight_kind(entry.dtype).ok_or_else(|| ModelError::TensorKind {
            path: path.clone(),
            name: name.to_owned(),
            found: format!("{:?}", entry.dtype),
        })?;
        let (bytes, mapped) = view(map, entry, found)?;
        let tensor = mapped.f_to_device(device)?.f_to_kind(kind)?;
        if let Some(bytes) = bytes.filter(|_| tensor.data_ptr() != mapped.data_ptr()) {
            pages::release(&bytes);
        }
        Ok(tensor)
    }

    /// Gives back the memory below a tensor that nothing reads any more, and that nothing wrote to; it is read from the
    /// file again should it be asked for.
    ///
    /// # Errors
    /// What libtorch says.
    pub(crate) fn release(&self, name: &str) -> Result<(), ModelError> {
        let found = self.entries.get(name);
        if let Some((map, entry)) = found.and_then(|(file, entry)| Some((&self.files.get(*file)?.1, entry))) {
            pages::release(&map.f_narrow(0, entry.start, entry.end - entry.start)?);
        }
        Ok(())
    }

    /// The tensor of that name, whatever its shape, in the type that it is held in.
    ///
    /// # Errors
    /// `model.tensor_missing`, `model.tensor_kind`, or what libtorch says.
    pub fn raw(&self, name: &str, device: Device) -> Result<Tensor, ModelError> {
        let found = self.entries.get(name);
        let found = found.and_then(|(file, entry)| Some((self.files.get(*file)?, entry)));
        let Some(((path, map), entry)) = found else {
            return Err(self.missing(name));
        };
        let kind = kinds::any_kind(entry.dtype).ok_or_else(|| ModelError::TensorKind {
            path: path.clone(),
            name: name.to_owned(),
            found: format!("{:?}", entry.dtype),
        })?;
        Ok(view(map, entry, kind)?.1.f_to_device(device)?)
    }

    fn missing(&self, name: &str) -> ModelError {
        let near = self
            .names()
            .map(|other| (strsim::normalized_levenshtein(name, other), other));
        let similar = near
            .filter(|(score, _)| *score > 0.6)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        ModelError::TensorMissing {
            dir: self.dir.clone(),
            name: name.to_owned(),
            similar: similar.map(|(_, other)| other.to_owned()),
        }
    }
}

/// A tensor's part of a mapped file, as bytes where they can be looked at in place, and as the tensor.
fn view(map: &Tensor, entry: &Entry, kind: Kind) -> Result<(Option<Tensor>, Tensor), ModelError> {
    // A view needs an aligned start, which the format does not promise.
    let aligned = entry.start % kind.elt_size_in_bytes() as i64 == 0;
    let (start, length) = (entry.start, entry.end - entry.start);
    let bytes = if aligned {
        map.f_narrow(0, start, length)?
    } else {
        map.f_narrow_copy(0, start, length)?
    };
    let tensor = bytes.f_view_dtype(kind)?.f_view(entry.shape.as_slice())?;
    Ok((aligned.then_some(bytes), tensor))
}

/// Reads a JSON file of a checkpoint.
///
/// # Errors
/// `model.file_missing`, `model.unreadable` or `model.damaged`.
pub fn read_json(path: &Path, dir: &Path) -> Result<serde_json::Value, ModelError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let what = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            return Err(ModelError::Missing {
                dir: dir.to_owned(),
                what,
            });
        }
        Err(source) => {
            return Err(ModelError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    serde_json::from_slice(&text).map_err(|error| ModelError::Damaged {
        path: path.to_owned(),
        why: error.to_string(),
    })
}
