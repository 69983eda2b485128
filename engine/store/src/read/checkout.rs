//! A model's files as a folder, for programs that read folders.

use std::{fs, io, path::Path, sync::Arc};

use crate::{
    BlobRef, ModelManifest, StoreError,
    backend::{Backend, check_relative, corrupt, missing, random_hex},
};

pub(crate) async fn checkout(
    backend: &Arc<Backend>,
    manifest: &ModelManifest,
    dir: &Path,
) -> Result<(), StoreError> {
    let owner = format!("model {}", manifest.id());
    for (relative, blob) in &manifest.data.files {
        check_relative(relative)?;
        let target = dir.join(relative);
        if fs::metadata(&target).is_ok_and(|found| found.is_file() && found.len() == blob.bytes) {
            continue;
        }
        let folder = target.parent().unwrap_or(dir).to_owned();
        fs::create_dir_all(&folder).map_err(|error| StoreError::file("make the folder", &folder, error))?;
        // Under another name first, so that a file under its own is whole.
        let partial = folder.join(format!(".{}.partial", random_hex()));
        let placed = place(backend, blob, &owner, &partial).await.and_then(|()| {
            fs::rename(&partial, &target).map_err(|error| StoreError::file("write", &target, error))
        });
        if placed.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_file(&partial);
        }
        placed?;
    }
    Ok(())
}

async fn place(backend: &Backend, blob: &BlobRef, owner: &str, target: &Path) -> Result<(), StoreError> {
    let Some(source) = backend.local_path(blob) else {
        return backend.copy_out(blob, owner, target).await;
    };
    let found = fs::metadata(&source).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => missing(blob, owner),
        _ => StoreError::file("read", &source, error),
    })?;
    if found.len() != blob.bytes {
        return Err(corrupt(
            blob,
            owner,
            &format!("it has {} bytes, not {}", found.len(), blob.bytes),
        ));
    }
    // A link shares the blob's bytes, so that nobody may write through it; a copy where the file system refuses links.
    let mut permissions = found.permissions();
    permissions.set_readonly(true);
    if fs::set_permissions(&source, permissions).is_ok() && fs::hard_link(&source, target).is_ok() {
        return Ok(());
    }
    let (from, to) = (source, target.to_owned());
    let copy = move || {
        fs::copy(&from, &to)
            .map(|_| ())
            .map_err(|error| StoreError::file("write", &to, error))
    };
    tokio::task::spawn_blocking(copy).await?
}
