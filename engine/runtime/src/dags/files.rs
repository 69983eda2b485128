//! Finding and reading the files of a folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use twinloom_spec::{Diagnostics, SourceFile};

/// Folders below the DAG folder that are looked into.
const DEPTH: u32 = 4;
/// The coarsest clock of a file system.
const TICK: Duration = Duration::from_secs(2);
/// More files are not looked at.
const MOST: usize = 10_000;

/// What tells that a file has changed without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl Stamp {
    /// Whether it can be trusted: a file may be written twice within a tick of the file system's clock.
    pub fn is_settled(&self, read_at: SystemTime) -> bool {
        self.modified
            .and_then(|modified| read_at.duration_since(modified).ok())
            .is_some_and(|age| age >= TICK)
    }
}

/// YAML files below a folder in order of their paths; hidden ones are left out. A folder that is not there holds none.
pub fn find(folder: &Path) -> io::Result<Vec<(PathBuf, Stamp)>> {
    let mut found = Vec::new();
    match list(folder, DEPTH, &mut found) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn list(folder: &Path, depth: u32, found: &mut Vec<(PathBuf, Stamp)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') || found.len() >= MOST {
            continue;
        }
        // Links to files are followed (mounted configuration is made of them), links to folders are not.
        if entry.file_type()?.is_dir() {
            if depth > 0 {
                list(&path, depth - 1, found)?;
            }
            continue;
        }
        let yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        let Some(data) = fs::metadata(&path).ok().filter(|data| yaml && data.is_file()) else {
            continue;
        };
        let stamp = Stamp {
            modified: data.modified().ok(),
            length: data.len(),
        };
        found.push((path, stamp));
    }
    Ok(())
}

/// Reads a file; what is wrong with it as a file is a diagnostic like any other.
pub fn read(path: &Path) -> Result<SourceFile, Diagnostics> {
    let name = path.display().to_string();
    match fs::File::open(path) {
        Ok(file) => SourceFile::read(name, file),
        Err(error) => SourceFile::read(name, Failing(Some(error))),
    }
}

/// A file that cannot be opened, as a reader that fails.
struct Failing(Option<io::Error>);

impl io::Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().unwrap_or_else(|| io::ErrorKind::NotFound.into()))
    }
}

/// Writes beside the file and renames, so that nobody ever reads half of it.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut beside = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    io::Write::write_all(&mut beside, text.as_bytes())?;
    beside.as_file().sync_all()?;
    // A link keeps pointing where it points.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(data) = fs::metadata(&target) {
        fs::set_permissions(beside.path(), data.permissions())?;
    } else {
        fs::set_permissions(beside.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    }
    beside.persist(&target).map_err(|error| error.error)?;
    Ok(())
}

/// Hash of a text, as a version to name when writing.
pub fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect()
}
