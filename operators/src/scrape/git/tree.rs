//! The files of a repository: as they are on disk, or as committed.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    time::timeout,
};
use twinloom_sdk::OperatorError;

use super::{
    command::{broken, complaints, damaged, ended, git, last_line, output, spawn, too_slow},
    place::Place,
    take, wanted,
};
use crate::scrape::{
    Git,
    classify::{FileKind, Paths},
    job::{Job, unreadable},
};

/// The most that a list of files may take, in bytes: millions of paths.
const LIST: u64 = 512 << 20;

/// Why a file cannot be had.
const MISSING: &str = "the object is missing or damaged";

/// Reads tracked files from disk, so that an edit counts before it is committed.
pub async fn worktree(
    job: &mut Job<'_>,
    source: &Git,
    place: &Place,
    paths: &Paths,
    root: &Path,
) -> Result<(), OperatorError> {
    let mut command = git(root);
    command.args(["ls-files", "-z", "--cached", "--full-name"]);
    let listed = run(job, command).await?;
    let mut before: &[u8] = &[];
    for name in listed.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        // An unmerged file is listed once a side.
        if name == before {
            continue;
        }
        before = name;
        let whole = String::from_utf8_lossy(name).into_owned();
        let Some(path) = whole.strip_prefix(&place.prefix) else {
            continue;
        };
        let Some(kind) = wanted(job, source, paths, path) else {
            continue;
        };
        job.context.check_cancelled()?;
        let file = root.join(&whole);
        // Links may lead out of the repository; deleted files are listed until that is committed.
        let Ok(meta) = tokio::fs::symlink_metadata(&file).await else {
            continue;
        };
        if !meta.is_file() || links_out(root, &whole).await {
            continue;
        }
        if job.fits(path, meta.len())? {
            let bytes = tokio::fs::read(&file)
                .await
                .map_err(|error| unreadable(&file, &error))?;
            take(job, source, place, path, kind, bytes).await?;
        }
    }
    Ok(())
}

/// Whether a folder on the way to a file is a link.
async fn links_out(root: &Path, path: &str) -> bool {
    let mut folder = root.to_owned();
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in parts {
        folder.push(part);
        match tokio::fs::symlink_metadata(&folder).await {
            Ok(meta) if meta.is_dir() => {}
            _ => return true,
        }
    }
    false
}

/// A blob to read.
struct Blob {
    object: String,
    size: u64,
    path: String,
    kind: FileKind,
}

/// Reads files from a commit.
pub async fn committed(
    job: &mut Job<'_>,
    source: &Git,
    place: &Place,
    paths: &Paths,
) -> Result<(), OperatorError> {
    let Some(commit) = &place.commit else {
        return Ok(());
    };
    let mut command = git(&place.folder);
    command.args(["ls-tree", "-r", "-z", "-l", "--full-tree", commit]);
    let listed = run(job, command).await?;
    let mut blobs = Vec::new();
    for entry in listed.split(|byte| *byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        // `mode type object size<TAB>path`: links and submodules are left out.
        let Some((about, path)) = entry.split_once('\t') else {
            continue;
        };
        let mut about = about.split_ascii_whitespace();
        let (mode, object) = (about.next().unwrap_or_default(), about.nth(1).unwrap_or_default());
        let size = about.next().unwrap_or_default();
        if !mode.starts_with("100") {
            continue;
        }
        if let Some(path) = path.strip_prefix(&place.prefix)
            && let Some(kind) = wanted(job, source, paths, path)
        {
            // git writes `BAD` where it has no such object.
            let Ok(size) = size.parse() else {
                return Err(damaged(path, MISSING));
            };
            if job.fits(path, size)? {
                blobs.push(Blob {
                    object: object.to_owned(),
                    size,
                    path: path.to_owned(),
                    kind,
                });
            }
        }
    }
    read_blobs(job, source, place, blobs).await
}

/// Reads blobs through one `git cat-file`, one at a time.
async fn read_blobs(
    job: &mut Job<'_>,
    source: &Git,
    place: &Place,
    blobs: Vec<Blob>,
) -> Result<(), OperatorError> {
    let mut command = git(&place.folder);
    command.args(["cat-file", "--batch"]).stdin(Stdio::piped());
    let mut child = spawn(&mut command)?;
    let said = complaints(&mut child);
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(OperatorError::bug("scrape.git_pipe", "git has no pipes"));
    };
    let mut stdout = BufReader::new(stdout);
    let seconds = job.limits().git_seconds;
    for blob in blobs {
        job.context.check_cancelled()?;
        let read = async {
            stdin.write_all(format!("{}\n", blob.object).as_bytes()).await?;
            stdin.flush().await?;
            let mut header = String::new();
            (&mut stdout).take(256).read_line(&mut header).await?;
            let size: u64 = header
                .rsplit(' ')
                .next()
                .and_then(|size| size.trim_end().parse().ok())
                .unwrap_or(u64::MAX);
            if size != blob.size {
                return Ok(None);
            }
            let mut bytes = vec![0; usize::try_from(size).map_err(std::io::Error::other)? + 1];
            stdout.read_exact(&mut bytes).await?;
            bytes.pop();
            Ok::<_, std::io::Error>(Some(bytes))
        };
        let read = timeout(Duration::from_secs(seconds), read)
            .await
            .map_err(|_| too_slow(seconds))?;
        let bytes = match read {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(damaged(&blob.path, MISSING)),
            // git died on it: what it said last is why.
            Err(error) => {
                drop(stdin);
                ended(child, said, &blob.path, seconds).await?;
                return Err(broken(&error));
            }
        };
        take(job, source, place, &blob.path, blob.kind, bytes).await?;
    }
    drop(stdin);
    ended(child, said, "the files", seconds).await
}

async fn run(job: &Job<'_>, command: tokio::process::Command) -> Result<Vec<u8>, OperatorError> {
    let printed = output(command, job.limits().git_seconds, LIST).await?;
    if printed.success {
        return Ok(printed.stdout);
    }
    Err(damaged("the list of files", last_line(&printed.stderr)))
}
