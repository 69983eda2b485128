//! Git repositories, read with the git command line: files as articles and code, commit messages as posts.

mod command;
mod commits;
mod place;
mod remote;
mod tree;

use twinloom_sdk::OperatorError;

use super::{
    Category, Git,
    classify::{FileKind, Paths, kind_of},
    http::without_credentials,
    job::{File, Job},
};
use place::Place;

/// Reads a repository.
pub async fn scrape(job: &mut Job<'_>, source: &Git) -> Result<(), OperatorError> {
    let paths = Paths::new(&source.include, &source.exclude)?;
    let place = place::open(job, source).await?;
    if source.documents || source.code {
        match &place.worktree {
            Some(root) => tree::worktree(job, source, &place, &paths, root).await?,
            None => tree::committed(job, source, &place, &paths).await?,
        }
    }
    if source.commits {
        commits::read(job, source, &place).await?;
    }
    Ok(())
}

/// What a path is to be read as, if at all.
fn wanted(job: &mut Job<'_>, source: &Git, paths: &Paths, path: &str) -> Option<FileKind> {
    let kind = match kind_of(path) {
        Some(FileKind::JsonLines) => return None,
        Some(kind) => kind,
        None if source.include.is_empty() => {
            // Hidden files, such as `.gitignore`, are settings of tools: a folder's are not told of either.
            let hidden = path.split('/').any(|part| part.starts_with('.'));
            if source.documents && !hidden && paths.allows(path) {
                job.unknown(path);
            }
            return None;
        }
        None => FileKind::Document(Category::Article, "text"),
    };
    let read = match kind {
        FileKind::Document(Category::Code, _) => source.code,
        _ => source.documents,
    };
    (read && paths.allows(path)).then_some(kind)
}

/// Takes one file of the repository.
async fn take(
    job: &mut Job<'_>,
    source: &Git,
    place: &Place,
    path: &str,
    kind: FileKind,
    bytes: Vec<u8>,
) -> Result<(), OperatorError> {
    let repository = without_credentials(&source.url);
    let author = source.author.as_deref().or(job.config.author.as_deref());
    let link = Some(place.file_link(path));
    job.file(
        File {
            source: ["git", &repository],
            path,
            platform: "git",
            link,
            author,
            kind,
        },
        bytes,
    )
    .await
}
