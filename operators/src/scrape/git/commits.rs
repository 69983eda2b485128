//! Commit messages as posts.

use std::time::Duration;

use encoding_rs::UTF_8;
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    time::timeout,
};
use twinloom_sdk::OperatorError;

use super::{
    command::{broken, complaints, ended, git, output, spawn, too_slow},
    place::Place,
};
use crate::scrape::{
    Category, Git,
    document::{Document, id},
    http::without_credentials,
    job::Job,
    keep::{COMMITTED, Keep},
};

/// Hash, name, mail, seconds of the author and of the committer, message.
const FORMAT: &str = "--format=%H%x00%an%x00%ae%x00%at%x00%ct%x00%B";
const FIELDS: usize = 6;

/// Names of well-known bots that do not say so.
const BOTS: [&str; 5] = [
    "dependabot",
    "renovate",
    "github-actions",
    "greenkeeper",
    "pre-commit-ci",
];

/// Trailers without `-by:`.
const TRAILERS: [&str; 6] = [
    "Change-Id:",
    "Signed-off:",
    "Cc:",
    "Reviewed-on:",
    "git-svn-id:",
    "Link:",
];

/// Reads messages, the latest first, merges left out.
pub async fn read(job: &mut Job<'_>, source: &Git, place: &Place) -> Result<(), OperatorError> {
    let Some(commit) = &place.commit else {
        return Ok(());
    };
    let mut command = git(&place.folder);
    command.args([
        "log",
        "-z",
        "--no-merges",
        "--no-show-signature",
        "--no-color",
        "--no-ext-diff",
        "--encoding=UTF-8",
        FORMAT,
    ]);
    command
        .arg(format!("--max-count={}", source.max_commits))
        .args([commit, "--"]);
    if !place.prefix.is_empty() {
        // git runs in the folder that is read: the commits that changed something in it.
        command.arg(".");
    }
    let mut child = spawn(&mut command)?;
    let said = complaints(&mut child);
    let Some(stdout) = child.stdout.take() else {
        return Err(OperatorError::bug("scrape.git_pipe", "git has no pipes"));
    };
    let mut stdout = BufReader::new(stdout);
    let limit = job.limits().document_bytes;
    let wait = Duration::from_secs(job.limits().git_seconds);
    let (mut count, mut end) = (0, i64::MAX);
    loop {
        let mut fields = Vec::with_capacity(FIELDS);
        for _ in 0..FIELDS {
            let mut field = Vec::new();
            let read = timeout(wait, (&mut stdout).take(limit + 1).read_until(0, &mut field)).await;
            let read = read
                .map_err(|_| too_slow(wait.as_secs()))?
                .map_err(|error| broken(&error))?;
            if read == 0 {
                break;
            }
            if field.last() == Some(&0) {
                field.pop();
            } else if read as u64 > limit {
                job.fits("a commit message", read as u64)?;
                // The rest of it is read past, so that the next field begins where it should.
                skip_field(&mut stdout).await?;
            }
            fields.push(field);
        }
        let Ok([hash, name, mail, written, committed, message]) = <[Vec<u8>; FIELDS]>::try_from(fields)
        else {
            break;
        };
        let [hash, name, mail, written, committed] = [hash, name, mail, written, committed]
            .map(|field| String::from_utf8_lossy(&field).trim().to_owned());
        let (written, committed) = (milliseconds(&written), milliseconds(&committed));
        count += 1;
        // git lists by the committer's date; the author's may be years older: rebased, picked, sent by mail.
        end = committed.unwrap_or(end);
        if source.skip_bots && is_bot(&name, &mail) {
            continue;
        }
        let text = job.text(&format!("commit {hash}"), message, Some(UTF_8));
        let text = if source.strip_trailers {
            without_trailers(&text)
        } else {
            text.trim()
        };
        let mut metadata = Map::new();
        let repository = without_credentials(&source.url);
        metadata.insert("repository".to_owned(), Value::from(repository.as_str()));
        metadata.insert("commit".to_owned(), Value::from(hash.as_str()));
        if let Some(committed) = committed {
            metadata.insert(COMMITTED.to_owned(), Value::from(committed));
        }
        job.push(Document {
            id: id(&["git", &repository, "commit", &hash]),
            category: Category::Post,
            platform: "git".to_owned(),
            author: Some(name)
                .filter(|name| !name.is_empty())
                .or_else(|| job.config.author.clone()),
            link: Some(place.commit_link(&hash)),
            title: text.lines().next().map(str::to_owned),
            format: "text",
            text: text.to_owned(),
            published_at: written,
            updated_at: None,
            metadata,
        })
        .await?;
    }
    ended(child, said, "the history", wait.as_secs()).await?;
    // All of a history that was read to its start is here; of a longer one older commits may have been read before.
    if source.keep && (count >= source.max_commits || is_shallow(place, wait.as_secs()).await?) {
        job.keep.push(Keep::Commits {
            repository: without_credentials(&source.url),
            end,
        });
    }
    Ok(())
}

/// The seconds that git prints, in milliseconds.
fn milliseconds(seconds: &str) -> Option<i64> {
    seconds.parse::<i64>().ok()?.checked_mul(1000)
}

/// Whether the history ends where the clone does.
async fn is_shallow(place: &Place, seconds: u64) -> Result<bool, OperatorError> {
    let mut command = git(&place.folder);
    command.args(["rev-parse", "--is-shallow-repository"]);
    let printed = output(command, seconds, 1024).await?;
    Ok(printed.stdout.starts_with(b"true"))
}

async fn skip_field(stdout: &mut BufReader<tokio::process::ChildStdout>) -> Result<(), OperatorError> {
    loop {
        let buffer = stdout.fill_buf().await.map_err(|error| broken(&error))?;
        let (length, done) = match memchr::memchr(0, buffer) {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        stdout.consume(length);
        if done {
            return Ok(());
        }
    }
}

fn is_bot(name: &str, mail: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("[bot]") || mail.contains("[bot]@") || BOTS.contains(&name.as_str())
}

/// A message without the trailers of its last paragraph.
pub fn without_trailers(message: &str) -> &str {
    let message = message.trim();
    let start = message.rfind("\n\n").map_or(message.len(), |at| at + 2);
    let is_trailer = |line: &str| {
        let by = line.split_once(": ").is_some_and(|(key, _)| {
            key.to_ascii_lowercase().ends_with("-by")
                && key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        by || TRAILERS.iter().any(|trailer| line.starts_with(trailer))
    };
    let last = &message[start..];
    if !last.is_empty() && last.lines().all(is_trailer) {
        message[..start].trim_end()
    } else {
        message
    }
}
