//! The git command line, with nothing of a repository's or the user's configuration that could run or reach anything.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time::timeout,
};
use twinloom_sdk::OperatorError;

/// How much of git's complaints is kept, in bytes.
const STDERR: u64 = 8 * 1024;

/// Settings that a repository's own configuration must not decide. `safe.directory` is safe to open because no
/// command used here runs what a repository names: hooks, monitors, filters, signers, remote helpers.
const SETTINGS: [&str; 11] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.quotePath=false",
    "safe.directory=*",
    "diff.external=",
    "log.showSignature=false",
    "gpg.program=false",
    "credential.helper=",
    "http.followRedirects=false",
    // Empty: the environment's proxies are not used either, as by all that is read over HTTP.
    "http.proxy=",
];

/// A git command in a folder; add arguments, then [`output`] or [`spawn`].
pub fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("GIT_ALLOW_PROTOCOL", "https:http")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .env("LC_ALL", "C")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .arg("--no-pager");
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command
}

/// What git printed, or what it complained of.
pub struct Printed {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// The start of standard error.
    pub stderr: String,
    /// Whether it succeeded.
    pub success: bool,
}

/// Runs a command whose output is small; more than `limit` bytes are an error.
pub async fn output(mut command: Command, seconds: u64, limit: u64) -> Result<Printed, OperatorError> {
    let mut child = spawn(&mut command)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = async {
        let mut out = Vec::new();
        let mut complaints = Vec::new();
        let stdout = async {
            match stdout {
                Some(stdout) => stdout.take(limit + 1).read_to_end(&mut out).await.map(drop),
                None => Ok(()),
            }
        };
        let (read, ()) = tokio::join!(stdout, drain(stderr, &mut complaints));
        read.map_err(|error| broken(&error))?;
        if out.len() as u64 > limit {
            return Err(OperatorError::data(
                "scrape.git_too_large",
                format!("git printed more than {limit} bytes"),
                "Read less of the repository: name folders in `include`.",
            ));
        }
        let status = child.wait().await.map_err(|error| broken(&error))?;
        Ok(Printed {
            stdout: out,
            stderr: String::from_utf8_lossy(&complaints).trim().to_owned(),
            success: status.success(),
        })
    };
    timeout(Duration::from_secs(seconds), read)
        .await
        .map_err(|_| too_slow(seconds))?
}

/// Starts a command.
pub fn spawn(command: &mut Command) -> Result<Child, OperatorError> {
    command.spawn().map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return OperatorError::config(
                "scrape.git_missing",
                "git could not be started: there is no such program",
                "Install git, for example with `apt-get install git`.",
            );
        }
        broken(&error)
    })
}

/// Waits for a program whose output has been read to its end; where it failed, the error holds its last complaint.
///
/// # Errors
/// `scrape.git_unreadable`: what was read so far is not all there is.
pub async fn ended(
    mut child: Child,
    complaints: tokio::task::JoinHandle<String>,
    what: &str,
    seconds: u64,
) -> Result<(), OperatorError> {
    let ended = timeout(Duration::from_secs(seconds), child.wait()).await;
    let status = ended
        .map_err(|_| too_slow(seconds))?
        .map_err(|error| broken(&error))?;
    if status.success() {
        return Ok(());
    }
    let complaints = complaints.await.unwrap_or_default();
    Err(damaged(what, last_line(&complaints)))
}

/// Collects a child's complaints beside whoever reads its output.
pub fn complaints(child: &mut Child) -> tokio::task::JoinHandle<String> {
    let stderr = child.stderr.take();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        drain(stderr, &mut kept).await;
        String::from_utf8_lossy(&kept).trim().to_owned()
    })
}

/// The error for a repository of which a part cannot be read.
pub fn damaged(what: &str, why: &str) -> OperatorError {
    OperatorError::data(
        "scrape.git_unreadable",
        format!("git could not read {what}: {why}"),
        "Check the repository with `git fsck`; a fresh clone is whole again.",
    )
}

/// The last line that says something: git's reason.
pub fn last_line(text: &str) -> &str {
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("git gave no reason")
}

/// Keeps the start of git's complaints and reads past the rest, so that it never waits for us.
async fn drain(stderr: Option<tokio::process::ChildStderr>, kept: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    // What cannot be read of the complaints changes nothing about the result.
    let _ = (&mut stderr).take(STDERR).read_to_end(kept).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
}

/// The error for a pipe to git that broke.
pub fn broken(error: &std::io::Error) -> OperatorError {
    OperatorError::retry(
        "scrape.git_failed",
        format!("git could not be run: {error}"),
        "It is tried again by the step's `retries`.",
    )
}

/// The error for a command that took too long.
pub fn too_slow(seconds: u64) -> OperatorError {
    OperatorError::retry(
        "scrape.git_timeout",
        format!("git took longer than {seconds} s"),
        "Raise `limits.git_seconds`, or read less: `max_commits`, `include`.",
    )
}
