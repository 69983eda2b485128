//! Content-addressed blobs: put once, shared by whoever has the same bytes, checked when read whole.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    path::Path as FilePath,
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use object_store::{ObjectMeta, ObjectStoreExt, WriteMultipart};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Backend, blob_path, layout::check_ext};
use crate::{BlobRef, StoreError};

/// A blob that is there already and older than this is made young again, so that gc, which spares the young, cannot
/// take it between its finding and the commit that refers to it. Far below the shortest grace of gc.
const REFRESH_AFTER: Duration = Duration::from_secs(600);
/// Files above this are sent in pieces.
const PIECE: usize = 8 << 20;

/// A blob that was put, and whether it was new.
pub(crate) struct PutBlob {
    pub(crate) blob: BlobRef,
    pub(crate) new: bool,
    /// Whether it may not have reached the disk yet: it is new, or somebody else's of a moment ago.
    pub(crate) fresh: bool,
}

/// A blob that is there already.
enum Found {
    /// And long enough to be on the disk.
    Settled,
    /// But so young that a power cut may still take it.
    Fresh,
}

/// blake3 in hex.
pub(crate) fn hash_hex(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// 32 random hex digits, from the standard library's seed of hash maps.
pub(crate) fn random_hex() -> String {
    let word = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", word(), word())
}

impl Backend {
    /// Puts bytes; on a local store they are durable only after [`Backend::sync_blobs`].
    pub(crate) async fn put_blob(
        &self,
        bytes: Bytes,
        hash: String,
        ext: &str,
    ) -> Result<PutBlob, StoreError> {
        let blob = BlobRef {
            hash,
            bytes: bytes.len() as u64,
            ext: ext.to_owned(),
        };
        if let Some(found) = self.find_blob(&blob).await? {
            return Ok(PutBlob {
                blob,
                new: false,
                fresh: matches!(found, Found::Fresh),
            });
        }
        let path = blob_path(&blob)?;
        let put = self.objects.put(&path, bytes.into()).await;
        put.map_err(|error| StoreError::backend(format!("write {path}"), error))?;
        Ok(PutBlob {
            blob,
            new: true,
            fresh: true,
        })
    }

    /// Puts bytes and makes them durable.
    pub(crate) async fn put_blob_durably(&self, bytes: Bytes, ext: &str) -> Result<BlobRef, StoreError> {
        check_ext(ext)?;
        let hash = hash_hex(&bytes);
        let blob = self.put_blob(bytes, hash, ext).await?.blob;
        self.sync_blobs(vec![blob.clone()]).await?;
        Ok(blob)
    }

    /// Puts a file in two passes, hash and copy, in bounded memory, and makes it durable.
    pub(crate) async fn put_blob_file(&self, path: &FilePath, ext: &str) -> Result<BlobRef, StoreError> {
        check_ext(ext)?;
        let source = path.to_owned();
        let (hash, bytes) = tokio::task::spawn_blocking(move || hash_file(&source)).await??;
        let blob = BlobRef {
            hash,
            bytes,
            ext: ext.to_owned(),
        };
        if self.find_blob(&blob).await?.is_none() {
            self.copy_in(path, &blob).await?;
        }
        self.sync_blobs(vec![blob.clone()]).await?;
        Ok(blob)
    }

    /// Bytes of a blob, checked.
    pub(crate) async fn get_blob(&self, blob: &BlobRef) -> Result<Bytes, StoreError> {
        let bytes = self.blob_bytes(blob, "the reader").await?;
        if hash_hex(&bytes) == blob.hash {
            Ok(bytes)
        } else {
            Err(corrupt(blob, "the reader", "its hash is another"))
        }
    }

    /// Bytes of a blob, checked for size alone.
    pub(crate) async fn blob_bytes(&self, blob: &BlobRef, owner: &str) -> Result<Bytes, StoreError> {
        let path = blob_path(blob)?;
        let failed = |error| match error {
            object_store::Error::NotFound { .. } => missing(blob, owner),
            other => StoreError::backend(format!("read {path}"), other),
        };
        let found = self.objects.get(&path).await.map_err(failed)?;
        if found.meta.size != blob.bytes {
            let reason = format!("it has {} bytes, not {}", found.meta.size, blob.bytes);
            return Err(corrupt(blob, owner, &reason));
        }
        found.bytes().await.map_err(failed)
    }

    /// The blob if it is there whole; an old one is made young.
    async fn find_blob(&self, blob: &BlobRef) -> Result<Option<Found>, StoreError> {
        let path = blob_path(blob)?;
        match self.objects.head(&path).await {
            Ok(meta) if meta.size != blob.bytes => Ok(None),
            Ok(meta) if is_young(&meta) => Ok(Some(Found::Fresh)),
            Ok(_) => Ok(self.make_young(blob).then_some(Found::Settled)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::backend(format!("look for {path}"), error)),
        }
    }

    /// Where files have a time to set, sets it; elsewhere the blob is written again.
    fn make_young(&self, blob: &BlobRef) -> bool {
        let touch = |path| std::fs::File::open(path)?.set_modified(std::time::SystemTime::now());
        self.local_path(blob).is_some_and(|path| touch(path).is_ok())
    }

    async fn copy_in(&self, path: &FilePath, blob: &BlobRef) -> Result<(), StoreError> {
        let target = blob_path(blob)?;
        let failed = |error| StoreError::backend(format!("write {target}"), error);
        let read_failed = |error| StoreError::file("read", path, error);
        let mut file = tokio::fs::File::open(path).await.map_err(read_failed)?;
        let upload = self.objects.put_multipart(&target).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE);
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut buffer).await.map_err(read_failed)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            upload.wait_for_capacity(4).await.map_err(failed)?;
            upload.write(&buffer[..read]);
        }
        if hasher.finalize().to_hex().as_str() != blob.hash {
            // Whatever the failed upload leaves is gc's.
            let _ = upload.abort().await;
            let changed = std::io::Error::other("it changed while it was read");
            return Err(StoreError::file("store", path, changed));
        }
        upload.finish().await.map_err(failed)?;
        Ok(())
    }

    /// Writes a blob to a local file, checked, in bounded memory.
    pub(crate) async fn copy_out(
        &self,
        blob: &BlobRef,
        owner: &str,
        target: &FilePath,
    ) -> Result<(), StoreError> {
        let path = blob_path(blob)?;
        let write_failed = |error| StoreError::file("write", target, error);
        let found = self.objects.get(&path).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => missing(blob, owner),
            other => StoreError::backend(format!("read {path}"), other),
        })?;
        let mut file = tokio::fs::File::create(target).await.map_err(write_failed)?;
        let mut hasher = blake3::Hasher::new();
        let mut stream = found.into_stream();
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|error| StoreError::backend(format!("read {path}"), error))?;
            hasher.update(&bytes);
            file.write_all(&bytes).await.map_err(write_failed)?;
        }
        file.flush().await.map_err(write_failed)?;
        if hasher.finalize().to_hex().as_str() == blob.hash {
            Ok(())
        } else {
            Err(corrupt(blob, owner, "its hash is another"))
        }
    }

    /// Hash and size of a blob as stored, in bounded memory; `None` where it is missing.
    pub(crate) async fn hash_blob(&self, blob: &BlobRef) -> Result<Option<(String, u64)>, StoreError> {
        if let Some(file) = self.local_path(blob) {
            return tokio::task::spawn_blocking(move || match file.try_exists() {
                Ok(false) => Ok(None),
                _ => hash_file(&file).map(Some),
            })
            .await?;
        }
        let path = blob_path(blob)?;
        let failed = |error| StoreError::backend(format!("read {path}"), error);
        let found = match self.objects.get(&path).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut hasher = blake3::Hasher::new();
        let mut stream = found.into_stream();
        while let Some(bytes) = stream.next().await {
            hasher.update(&bytes.map_err(failed)?);
        }
        Ok(Some((hasher.finalize().to_hex().to_string(), hasher.count())))
    }
}

pub(crate) fn missing(blob: &BlobRef, owner: &str) -> StoreError {
    StoreError::MissingBlob {
        blob: shown(blob),
        owner: owner.to_owned(),
    }
}

pub(crate) fn corrupt(blob: &BlobRef, owner: &str, reason: &str) -> StoreError {
    StoreError::CorruptBlob {
        blob: shown(blob),
        owner: owner.to_owned(),
        reason: reason.to_owned(),
    }
}

fn shown(blob: &BlobRef) -> String {
    blob_path(blob).map(|path| path.to_string()).unwrap_or_default()
}

fn is_young(meta: &ObjectMeta) -> bool {
    let age = std::time::SystemTime::now().duration_since(meta.last_modified.into());
    // A time in the future is another clock's and tells nothing.
    age.is_ok_and(|age| age < REFRESH_AFTER)
}

fn hash_file(path: &FilePath) -> Result<(String, u64), StoreError> {
    let failed = |error| StoreError::file("read", path, error);
    let mut hasher = blake3::Hasher::new();
    hasher
        .update_reader(std::fs::File::open(path).map_err(failed)?)
        .map_err(failed)?;
    Ok((hasher.finalize().to_hex().to_string(), hasher.count()))
}
