//! Fetches a remote repository: one branch, tag or commit, as deep as it is read.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use tokio::process::Command;
use twinloom_sdk::OperatorError;
use url::Url;

use super::{
    command::{broken, git, last_line, output},
    place::{Place, SMALL},
};
use crate::scrape::{
    Git,
    http::{resolve, secret, without_credentials},
    job::{Job, unreadable},
};

/// The user that a token is sent with where the address names none; hosts look at the token alone.
const TOKEN_USER: &str = "x-access-token";

/// Fetches into the attempt's folder.
pub async fn fetch(job: &mut Job<'_>, source: &Git) -> Result<Place, OperatorError> {
    let shown = without_credentials(&source.url);
    let mut url = Url::parse(&source.url).map_err(|error| {
        OperatorError::config(
            "scrape.git_address",
            format!("`{shown}` is no address: {error}"),
            "Give `https://host/path`.",
        )
    })?;
    let header = match &source.token {
        Some(token) => Some(authorization(job, token, &mut url)?),
        None => None,
    };
    let addresses = resolve(&url, source.allow_private).await?;
    let folder = job
        .context
        .work_dir()
        .join(format!("git-{}", crate::scrape::document::id(&[&source.url])));
    if tokio::fs::try_exists(&folder).await.unwrap_or(false) {
        tokio::fs::remove_dir_all(&folder)
            .await
            .map_err(|error| unreadable(&folder, &error))?;
    }
    tokio::fs::create_dir_all(&folder)
        .await
        .map_err(|error| unreadable(&folder, &error))?;
    let seconds = job.limits().git_seconds;
    let mut command = git(&folder);
    command.args(["init", "--quiet", "--bare", "--template="]);
    let made = output(command, seconds, SMALL).await?;
    if !made.success {
        // A full disk or the like: nothing is wrong with the repository that is asked for.
        return Err(broken(&std::io::Error::other(last_line(&made.stderr).to_owned())));
    }

    let mut command = git(&folder);
    // Connect to the checked address, whatever a second look-up would say.
    if let (Some(host), Some(address)) = (url.domain(), addresses.first()) {
        let ip = if address.is_ipv6() {
            format!("[{}]", address.ip())
        } else {
            address.ip().to_string()
        };
        command.args([
            "-c",
            &format!("http.curloptResolve={host}:{}:{ip}", address.port()),
        ]);
    }
    if let Some(header) = &header {
        with_header(&mut command, header);
    }
    let revision = source.revision.as_deref().unwrap_or("HEAD");
    command.args(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"]);
    command.arg(format!("--depth={}", source.max_commits.max(1)));
    command.arg("--").arg(url.as_str()).arg(revision);
    let fetched = output(command, seconds, SMALL).await?;
    let commit = if fetched.success {
        Some(fetch_head(&folder, seconds).await?)
    } else {
        let complaint = fetched
            .stderr
            .replace(&source.url, &shown)
            .replace(url.as_str(), &shown);
        match refused(source, &shown, &complaint) {
            Refused::Empty => {
                job.context.warn(format!(
                    "`{shown}` names no commit as its HEAD: it is empty, no git repository answers there, or HEAD names \
                     a branch that it does not have (give one as `revision`)"
                ));
                None
            }
            Refused::Error(error) => return Err(error),
        }
    };
    let web = shown.trim_end_matches('/').trim_end_matches(".git").to_owned();
    Ok(Place {
        folder,
        commit,
        worktree: None,
        prefix: String::new(),
        web: Some(web),
    })
}

/// The header that signs in, from the token; the user's name goes out of the address into it.
fn authorization(job: &Job<'_>, token: &str, url: &mut Url) -> Result<String, OperatorError> {
    let token = secret(job.context, "token", token, url)?;
    let user = match url.username() {
        "" => TOKEN_USER.to_owned(),
        // An address holds it percent-encoded, and the header as it is.
        user => percent_decode_str(user).decode_utf8_lossy().into_owned(),
    };
    // Both fail only for addresses that cannot have credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let pair = BASE64_STANDARD.encode(format!("{user}:{token}"));
    Ok(format!("Authorization: Basic {pair}"))
}

/// In the environment and not among the arguments, which all users of a machine can read.
fn with_header(command: &mut Command, header: &str) {
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "http.extraHeader")
        .env("GIT_CONFIG_VALUE_0", header);
}

async fn fetch_head(folder: &Path, seconds: u64) -> Result<String, OperatorError> {
    let mut command = git(folder);
    command.args(["rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}"]);
    let found = output(command, seconds, SMALL).await?;
    if found.success {
        return Ok(String::from_utf8_lossy(&found.stdout).trim().to_owned());
    }
    Err(OperatorError::config(
        "scrape.git_revision",
        "`revision` names something that is no commit",
        "Name a branch, a tag or a commit.",
    ))
}

/// Why nothing was fetched.
enum Refused {
    /// The repository names no commit as its HEAD.
    Empty,
    Error(OperatorError),
}

/// What of git's complaints will pass by itself, and what somebody has to mend.
fn refused(source: &Git, shown: &str, complaint: &str) -> Refused {
    let says = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    // Only this says that there is no commit. A HEAD that is refused otherwise is a server out of step with itself, as
    // mirrors are for a moment, and passes.
    if source.revision.is_none() && says(&["remote ref HEAD"]) {
        return Refused::Empty;
    }
    let absent = ["remote ref", "not our ref", "unadvertised object"];
    if let Some(revision) = &source.revision
        && says(&absent)
    {
        let digits = revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hint = if digits && (7..40).contains(&revision.len()) {
            "Give all 40 digits of a commit; or name a branch or tag that it has."
        } else {
            "Name a branch, tag or commit that it has, or leave `revision` out."
        };
        return Refused::Error(OperatorError::config(
            "scrape.git_revision",
            format!("`{shown}` has no `{revision}`"),
            hint,
        ));
    }
    let message = format!("`{shown}` could not be fetched: {}", last_line(complaint));
    let answered = complaint
        .split("returned error: ")
        .nth(1)
        .and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
    let hint = match answered {
        Some(300..=399) => Some("It redirects: give the address that it ends at."),
        Some(408 | 429) => None,
        Some(400..=499) => Some("Check the address, and whether it needs a `token` (one that may read it)."),
        Some(_) => None,
        None if says(&["redirect"]) => Some("It redirects: give the address that it ends at."),
        None if says(&[
            "not found",
            "Authentication",
            "could not read Username",
            "terminal prompts",
        ]) =>
        {
            Some("Check the address, and whether it needs a `token` (one that may read it).")
        }
        None if says(&["is this a git repository", "not valid", "does not appear to be"]) => {
            Some("No git repository answers there: check the address; for an ordinary page use `kind: page`.")
        }
        None if says(&[
            "SSL certificate",
            "certificate verify",
            "not allowed",
            "unsupported protocol",
        ]) =>
        {
            Some("Check the address and the certificate of the host.")
        }
        None if says(&["mismatched algorithms"]) => Some(
            "Its objects are named by SHA-256, which is read from a folder only: clone it and give the path.",
        ),
        None => None,
    };
    Refused::Error(match hint {
        Some(hint) => OperatorError::config("scrape.git_unreadable", message, hint),
        None => OperatorError::retry(
            "scrape.git_clone",
            message,
            "It is tried again by the step's `retries`; check the address and the network if it stays.",
        ),
    })
}
