//! Downloading a model: the files that loading needs, of one commit, each checked before it gets its name.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use futures::TryStreamExt;
use hf_hub::{
    HFClient, HFError,
    repository::{HFRepository, RepoTreeEntry, RepoTypeModel},
};
use sha2::{Digest, Sha256};

use super::{
    cache::{PARTIAL, Repository},
    name::{HubName, is_commit},
};
use crate::{ModelError, checkpoint::files, error::HubProblem};

/// Ends of names of the files that are wanted.
const WANTED: [&str; 4] = [".json", ".safetensors", ".jinja", ".txt"];
/// The same weights once more, in the publisher's own layout.
const AGAIN: &str = "consolidated";
/// A file here belongs to the embedder: `1_Pooling/config.json`.
const PARTS: &str = "_";

/// A file to download.
#[derive(Debug, Clone)]
struct Wanted {
    path: String,
    size: u64,
    sha256: Option<String>,
}

/// Downloads what is missing of the name's revision and gives its commit.
pub fn fetch(repository: &Repository, name: &HubName, endpoint: Option<&str>) -> Result<String, ModelError> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| file_error(Path::new("the network"), source))?;
        runtime.block_on(download(repository, name, endpoint))
    };
    // A thread of its own: a runtime cannot be started within another.
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|_| {
        Err(problem(
            name,
            HubProblem::Unreachable,
            "the download ended abruptly".to_owned(),
        ))
    })
}

/// The error for a model that is not in the cache where no network may be asked.
pub fn offline(name: &HubName, cache: &Path) -> ModelError {
    let why = format!("it is not in {}, and HF_HUB_OFFLINE is set", cache.display());
    problem(name, HubProblem::Unreachable, why)
}

async fn download(
    repository: &Repository,
    name: &HubName,
    endpoint: Option<&str>,
) -> Result<String, ModelError> {
    let say = |error: HFError| said(name, error);
    let mut client = HFClient::builder().retry_max_attempts(3);
    if let Some(endpoint) = endpoint {
        client = client.endpoint(endpoint);
    }
    let remote = client.build().map_err(say)?.model(name.owner(), name.name());
    let info = remote
        .info()
        .revision(name.revision())
        .send()
        .await
        .map_err(say)?;
    let commit = info.sha.filter(|sha| is_commit(sha)).ok_or_else(|| {
        problem(
            name,
            HubProblem::Unreachable,
            "the hub tells no commit".to_owned(),
        )
    })?;
    let entries: Vec<RepoTreeEntry> = remote
        .list_tree()
        .revision(commit.as_str())
        .recursive(true)
        .send()
        .map_err(say)?
        .try_collect()
        .await
        .map_err(say)?;
    let wanted = wanted(name, &entries)?;
    let dir = repository.folder(&commit);
    fs::create_dir_all(&dir).map_err(|source| file_error(&dir, source))?;
    let lock = File::create(repository.lock()).map_err(|source| file_error(&repository.lock(), source))?;
    // Two workers that need the same model download it once.
    lock.lock()
        .map_err(|source| file_error(&repository.lock(), source))?;
    for file in &wanted {
        let path = dir.join(&file.path);
        if !path.is_file() {
            tracing::info!(model = %name, file = %file.path, bytes = file.size, "downloading");
            one(&remote, name, &commit, file, &path).await?;
        }
    }
    let reference = repository.reference(name.revision());
    if !is_commit(name.revision()) {
        write(&reference, commit.as_bytes())?;
    }
    Ok(commit)
}

/// Downloads a file beside its place, from where an earlier try ended.
async fn one(
    remote: &HFRepository<RepoTypeModel>,
    name: &HubName,
    commit: &str,
    file: &Wanted,
    path: &Path,
) -> Result<(), ModelError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{PARTIAL}"));
    let partial = PathBuf::from(partial);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| file_error(parent, source))?;
    }
    let held = fs::metadata(&partial).map_or(0, |meta| meta.len());
    let held = if held > file.size { 0 } else { held };
    if held < file.size || file.size == 0 {
        let range = (held > 0).then_some(held..file.size);
        let say = |error: HFError| said(name, error);
        let (length, mut stream) = remote
            .download_file_stream()
            .filename(file.path.as_str())
            .revision(commit)
            .maybe_range(range)
            .send()
            .await
            .map_err(say)?;
        // A hub that does not know ranges sends all of it again.
        let held = if length == Some(file.size) { 0 } else { held };
        let mut out = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&partial)
            .map_err(|source| file_error(&partial, source))?;
        let place = |source| file_error(&partial, source);
        out.set_len(held).map_err(place)?;
        io::Seek::seek(&mut out, io::SeekFrom::Start(held)).map_err(place)?;
        let mut size = held;
        while let Some(bytes) = stream.try_next().await.map_err(say)? {
            size += bytes.len() as u64;
            if size > file.size {
                break;
            }
            out.write_all(&bytes).map_err(place)?;
        }
        out.sync_all().map_err(place)?;
    }
    checked(name, file, &partial)?;
    fs::rename(&partial, path).map_err(|source| file_error(path, source))
}

/// Size and, where the hub tells it, content. A wrong file is removed, so that the next try starts over.
fn checked(name: &HubName, file: &Wanted, partial: &Path) -> Result<(), ModelError> {
    let place = |source| file_error(partial, source);
    let size = fs::metadata(partial).map_err(place)?.len();
    if size != file.size {
        let why = format!("{} came with {size} bytes of {}", file.path, file.size);
        return Err(problem(name, HubProblem::Unreachable, why));
    }
    let Some(expected) = &file.sha256 else {
        return Ok(());
    };
    let mut from = File::open(partial).map_err(place)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0_u8; 1 << 20]);
    loop {
        let read = from.read(&mut buffer).map_err(place)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        hash.update(bytes);
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == *expected {
        return Ok(());
    }
    fs::remove_file(partial).map_err(place)?;
    let why = format!("{} came with other content than the hub tells of", file.path);
    Err(problem(name, HubProblem::Unreachable, why))
}

/// The files that loading needs; a model of pickles only is refused before anything is downloaded.
fn wanted(name: &HubName, entries: &[RepoTreeEntry]) -> Result<Vec<Wanted>, ModelError> {
    let files: Vec<Wanted> = entries
        .iter()
        .filter_map(|entry| match entry {
            RepoTreeEntry::File { path, size, lfs, .. } => Some(Wanted {
                path: path.clone(),
                size: *size,
                sha256: lfs.as_ref().and_then(|lfs| lfs.sha256.clone()),
            }),
            RepoTreeEntry::Directory { .. } => None,
        })
        .collect();
    let root = |file: &&Wanted| !file.path.contains('/');
    if !files
        .iter()
        .filter(root)
        .any(|file| file.path.ends_with(".safetensors"))
    {
        if let Some(pickle) = files
            .iter()
            .filter(root)
            .find(|file| files::is_pickle(Path::new(&file.path)))
        {
            return Err(ModelError::Pickle {
                path: Path::new(&name.plain()).join(&pickle.path),
            });
        }
        return Err(problem(
            name,
            HubProblem::NotFound,
            "it has no safetensors".to_owned(),
        ));
    }
    Ok(files.into_iter().filter(|file| is_wanted(&file.path)).collect())
}

fn is_wanted(path: &str) -> bool {
    let plain = Path::new(path)
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    let of_embedder = |(folder, file): (&str, &str)| {
        folder.contains(PARTS)
            && folder.starts_with(|first: char| first.is_ascii_digit())
            && !file.contains('/')
    };
    plain
        && path.split_once('/').is_none_or(of_embedder)
        && !path.starts_with(AGAIN)
        && WANTED.iter().any(|end| path.ends_with(end))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|source| file_error(parent, source))?;
    }
    fs::write(path, bytes).map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: io::Error) -> ModelError {
    ModelError::Io {
        path: path.to_owned(),
        source,
    }
}

/// The hub's words without addresses: these may carry a signature.
fn said(name: &HubName, error: HFError) -> ModelError {
    let (kind, why) = match error {
        HFError::RepoNotFound { .. } => (HubProblem::NotFound, "there is no such model".to_owned()),
        HFError::RevisionNotFound { .. } => (
            HubProblem::NotFound,
            format!("it has no revision `{}`", name.revision()),
        ),
        HFError::EntryNotFound { path, .. } => (HubProblem::NotFound, format!("it has no file `{path}`")),
        HFError::AuthRequired { .. } | HFError::Forbidden { .. } => (
            HubProblem::Denied,
            "there is no such model, or it is not open to everyone".to_owned(),
        ),
        HFError::RateLimited { .. } => (HubProblem::Unreachable, "the hub asks to wait".to_owned()),
        HFError::Http { context } => (
            HubProblem::Unreachable,
            format!("the hub answers {}", context.status),
        ),
        HFError::Request { source, .. } => {
            let source = source.without_url();
            let inner = std::error::Error::source(&source).map(ToString::to_string);
            (
                HubProblem::Unreachable,
                format!(
                    "the hub cannot be reached: {}",
                    inner.unwrap_or_else(|| source.to_string())
                ),
            )
        }
        other => (
            HubProblem::Unreachable,
            format!("the hub cannot be used: {other}"),
        ),
    };
    problem(name, kind, why)
}

fn problem(name: &HubName, kind: HubProblem, why: String) -> ModelError {
    ModelError::Hub {
        name: name.to_string(),
        kind,
        why,
    }
}
