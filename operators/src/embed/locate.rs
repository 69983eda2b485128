//! Where the embedder is, and which one it is. Both programs ask: the scheduler for the cache, the worker to load it.

use std::{
    env, fs, io,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Names the embedder's folder where the configuration does not.
pub const EMBEDDER: &str = "TWINLOOM_EMBEDDER";

/// Where set-up puts the default embedder, below the repository that the program was built in.
const SET_UP: &str = ".cache/minilm";

/// Bytes at either end of a large file that its identity is taken from.
const ENDS: u64 = 64 * 1024;

/// The embedder's folder: the configured one, the one that `TWINLOOM_EMBEDDER` names, or the one that
/// `infra/setup/embedder.sh` made above this program. It may not be there.
#[must_use]
pub fn folder(configured: Option<&str>) -> Option<PathBuf> {
    configured
        .map(PathBuf::from)
        .or_else(|| env::var_os(EMBEDDER).map(PathBuf::from))
        .or_else(|| above(SET_UP))
}

/// A folder or file of that name beside one of the folders that this program is in.
#[must_use]
pub fn above(name: &str) -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    program
        .ancestors()
        .skip(1)
        .take(5)
        .map(|folder: &Path| folder.join(name))
        .find(|path| path.exists())
}

/// What a folder of model files is recognised by: names, sizes and contents of its files, of large ones the beginning
/// (where safetensors has its table) and the end. `None` where the folder cannot be read.
#[must_use]
pub fn identity(dir: &Path) -> Option<String> {
    let mut files: Vec<(String, PathBuf)> = fs::read_dir(dir)
        .ok()?
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .filter(|(name, _)| {
            let kinds = [".json", ".txt", ".safetensors", ".jinja"];
            kinds.iter().any(|kind| name.ends_with(kind))
        })
        .collect();
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for (name, path) in files {
        let size = fs::metadata(&path).ok()?.len();
        hasher
            .update(name.as_bytes())
            .update(&[0])
            .update(&size.to_le_bytes());
        feed(&mut hasher, &path, size).ok()?;
    }
    Some(hasher.finalize().to_hex()[..32].to_owned())
}

fn feed(hasher: &mut blake3::Hasher, path: &Path, size: u64) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    let mut part = Vec::new();
    file.by_ref().take(ENDS).read_to_end(&mut part)?;
    if size > ENDS {
        file.seek(SeekFrom::Start(size.saturating_sub(ENDS).max(ENDS)))?;
        file.take(ENDS).read_to_end(&mut part)?;
    }
    hasher.update(&part);
    Ok(())
}
