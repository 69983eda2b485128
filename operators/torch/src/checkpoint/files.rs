//! Which files of a folder hold the weights.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::read_json;
use crate::ModelError;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const PICKLES: [&str; 6] = ["bin", "pt", "pth", "ckpt", "pkl", "pickle"];

/// The one file, or the shards that the index names.
pub fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, ModelError> {
    if dir.join(SINGLE).is_file() {
        return Ok(vec![dir.join(SINGLE)]);
    }
    if dir.join(INDEX).is_file() {
        return shards(dir);
    }
    match pickle(dir) {
        Some(path) => Err(ModelError::Pickle { path }),
        None => Err(ModelError::Missing {
            dir: dir.to_owned(),
            what: SINGLE.to_owned(),
        }),
    }
}

fn shards(dir: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let path = dir.join(INDEX);
    let index = read_json(&path, dir)?;
    let damaged = |why: &str| ModelError::Damaged {
        path: path.clone(),
        why: why.to_owned(),
    };
    let map = index
        .get("weight_map")
        .and_then(|map| map.as_object())
        .ok_or_else(|| damaged("it has no weight_map"))?;
    let mut names = BTreeSet::new();
    for file in map.values() {
        let name = file
            .as_str()
            .ok_or_else(|| damaged("a file name in weight_map is no text"))?;
        // A name with a folder in it could point anywhere on the machine.
        if Path::new(name).components().count() != 1 || !name.ends_with(".safetensors") {
            return Err(damaged(&format!(
                "`{name}` in weight_map is not a safetensors file beside it"
            )));
        }
        names.insert(name);
    }
    let missing = names.iter().find(|name| !dir.join(name).is_file());
    if let Some(name) = missing {
        return Err(ModelError::Missing {
            dir: dir.to_owned(),
            what: (*name).to_owned(),
        });
    }
    Ok(names.into_iter().map(|name| dir.join(name)).collect())
}

/// Whether it is a file that runs code when it is read.
pub fn is_pickle(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ext| PICKLES.iter().any(|pickle| ext.eq_ignore_ascii_case(pickle)))
}

fn pickle(dir: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(dir).ok()?;
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_pickle(path))
        .min()
}
