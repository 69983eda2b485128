//! Paths in the store. Whatever comes from a manifest or a worker is checked here before it becomes one.

use object_store::path::Path;

use super::Versioned;
use crate::{BlobRef, Name, StoreError};

/// `blobs/<2 hex>/<hash>.<ext>`.
pub(crate) fn blob_path(blob: &BlobRef) -> Result<Path, StoreError> {
    check_blob(blob)?;
    Ok(Path::from(format!(
        "blobs/{}/{}.{}",
        &blob.hash[..2],
        blob.hash,
        blob.ext
    )))
}

/// Refuses a hash or extension that is not one.
pub(crate) fn check_blob(blob: &BlobRef) -> Result<(), StoreError> {
    check_hash(&blob.hash)?;
    check_ext(&blob.ext)
}

pub(crate) fn check_hash(hash: &str) -> Result<(), StoreError> {
    let hex = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if hex {
        Ok(())
    } else {
        Err(StoreError::InvalidName { name: clip(hash) })
    }
}

pub(crate) fn check_ext(ext: &str) -> Result<(), StoreError> {
    let plain =
        (1..=16).contains(&ext.len()) && ext.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if plain {
        Ok(())
    } else {
        Err(StoreError::InvalidName { name: clip(ext) })
    }
}

/// A tag or alias: a name that is neither `latest` nor a number, since those mean versions.
pub(crate) fn check_label(label: &str) -> Result<(), StoreError> {
    let name = Name::new(label)?;
    if name.as_str() == "latest" || name.as_str().bytes().all(|b| b.is_ascii_digit()) {
        return Err(StoreError::InvalidName {
            name: label.to_owned(),
        });
    }
    Ok(())
}

/// A relative path of plain components, with `/` between them.
pub(crate) fn check_relative(path: &str) -> Result<(), StoreError> {
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.contains(['\\', '\0', ':'])
            && part.len() <= 255
    };
    let ok = path.len() <= 1024 && !path.chars().any(char::is_control) && path.split('/').all(plain);
    if ok {
        Ok(())
    } else {
        Err(StoreError::InvalidPath { path: clip(path) })
    }
}

/// `<folder>/versions`.
pub(crate) fn versions_path<M: Versioned>(name: &Name) -> Path {
    Path::from(format!("{}/{name}/versions", M::ROOT))
}

/// `<folder>/versions/<12 digits>.json`.
pub(crate) fn version_path<M: Versioned>(name: &Name, version: u64) -> Path {
    Path::from(format!("{}/{name}/versions/{version:012}.json", M::ROOT))
}

/// `<folder>/retired/<12 digits>.json`: a version that retention took away and whose blobs stay for a grace period.
pub(crate) fn retired_path<M: Versioned>(name: &Name, version: u64) -> Path {
    Path::from(format!("{}/{name}/retired/{version:012}.json", M::ROOT))
}

/// `<folder>/retired`.
pub(crate) fn retired_folder<M: Versioned>(name: &Name) -> Path {
    Path::from(format!("{}/{name}/retired", M::ROOT))
}

/// `<folder>/tags` or `<folder>/aliases`.
pub(crate) fn labels_path<M: Versioned>(name: &Name) -> Path {
    Path::from(format!("{}/{name}/{}", M::ROOT, M::LABELS))
}

/// `<folder>/tags/<tag>.json` or `<folder>/aliases/<alias>.json`.
pub(crate) fn label_path<M: Versioned>(name: &Name, label: &str) -> Path {
    Path::from(format!("{}/{name}/{}/{label}.json", M::ROOT, M::LABELS))
}

/// The number in `000000000012.json`.
pub(crate) fn version_of(file: &str) -> Option<u64> {
    let digits = file.strip_suffix(".json")?;
    (digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

fn clip(text: &str) -> String {
    text.chars().take(80).collect()
}
