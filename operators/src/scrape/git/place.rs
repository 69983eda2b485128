//! Finds a repository, or fetches it, and the commit to read.

use std::path::{Path, PathBuf};

use twinloom_sdk::OperatorError;

use super::{
    command::{Printed, git, last_line, output},
    remote,
};
use crate::scrape::{
    Git,
    http::{is_address, without_credentials},
    job::{Job, unreadable},
};

/// Output of small commands.
pub const SMALL: u64 = 64 * 1024;

/// A repository on disk.
pub struct Place {
    /// Where git runs.
    pub folder: PathBuf,
    /// The commit to read; none in a repository without commits.
    pub commit: Option<String>,
    /// The root of the working tree, where files are read from disk.
    pub worktree: Option<PathBuf>,
    /// The folder of the repository that is read, with `/` at its end; empty where it is all of it.
    pub prefix: String,
    /// The address of its pages, where it is a remote one.
    pub web: Option<String>,
}

impl Place {
    /// Where a reader finds a file.
    pub fn file_link(&self, path: &str) -> String {
        self.web
            .as_ref()
            .map_or_else(|| path.to_owned(), |web| format!("{web}/blob/HEAD/{path}"))
    }

    /// Where a reader finds a commit.
    pub fn commit_link(&self, commit: &str) -> String {
        self.web.as_ref().map_or_else(
            || format!("commit/{commit}"),
            |web| format!("{web}/commit/{commit}"),
        )
    }
}

/// Opens a local repository, or fetches a remote one into the attempt's folder.
pub async fn open(job: &mut Job<'_>, source: &Git) -> Result<Place, OperatorError> {
    if source
        .revision
        .as_deref()
        .is_some_and(|revision| revision.is_empty() || revision.starts_with('-'))
    {
        return Err(OperatorError::config(
            "scrape.git_revision",
            "`revision` is no branch, tag or commit",
            "Name one, or leave it out.",
        ));
    }
    if is_address(&source.url) {
        return remote::fetch(job, source).await;
    }
    if source.url.contains("://") || source.url.starts_with('-') || looks_like_ssh(&source.url) {
        return Err(OperatorError::config(
            "scrape.git_address",
            format!(
                "`{}` is neither a path nor an https address",
                without_credentials(&source.url)
            ),
            "Use `https://…`, or clone it yourself and give the path.",
        ));
    }
    let folder = PathBuf::from(&source.url);
    tokio::fs::metadata(&folder)
        .await
        .map_err(|error| unreadable(&folder, &error))?;
    let seconds = job.limits().git_seconds;
    let mut command = git(&folder);
    command.args(["rev-parse", "--absolute-git-dir"]);
    let found = output(command, seconds, SMALL).await?;
    if !found.success {
        return Err(not_a_repository(source, &found));
    }
    let commit = commit(&folder, source, seconds).await?;
    let mut command = git(&folder);
    command.args(["rev-parse", "--show-prefix"]);
    let prefix = output(command, seconds, SMALL).await?;
    let prefix = String::from_utf8_lossy(&prefix.stdout)
        .trim_end_matches(['\n', '\r'])
        .to_owned();
    let worktree = if source.worktree && source.revision.is_none() {
        let mut command = git(&folder);
        command.args(["rev-parse", "--show-toplevel"]);
        let root = output(command, seconds, SMALL).await?;
        // A bare repository has none: its commit is read.
        root.success
            .then(|| PathBuf::from(String::from_utf8_lossy(&root.stdout).trim_end()))
    } else {
        None
    };
    Ok(Place {
        folder,
        commit,
        worktree,
        prefix,
        web: None,
    })
}

/// The commit to read; none where nothing is asked for and there is none.
async fn commit(folder: &Path, source: &Git, seconds: u64) -> Result<Option<String>, OperatorError> {
    let revision = source.revision.as_deref().unwrap_or("HEAD");
    let mut command = git(folder);
    command.args([
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        &format!("{revision}^{{commit}}"),
    ]);
    let found = output(command, seconds, SMALL).await?;
    if found.success {
        return Ok(Some(String::from_utf8_lossy(&found.stdout).trim().to_owned()));
    }
    if source.revision.is_none() {
        return Ok(None);
    }
    Err(OperatorError::config(
        "scrape.git_revision",
        format!("`{}` has no `{revision}`", source.url),
        "Name a branch, tag or commit that it has, or leave `revision` out.",
    ))
}

fn not_a_repository(source: &Git, found: &Printed) -> OperatorError {
    OperatorError::data(
        "scrape.git_unreadable",
        format!(
            "`{}` is not a git repository that can be read: {}",
            source.url,
            last_line(&found.stderr)
        ),
        "Give the path of a repository; for a plain folder use `kind: folder`.",
    )
}

fn looks_like_ssh(url: &str) -> bool {
    url.split_once(':')
        .is_some_and(|(host, _)| host.contains('@') && !host.contains('/'))
}
