//! Folders: every readable file below, links not followed.

use std::path::Path;

use twinloom_sdk::OperatorError;
use walkdir::WalkDir;

use super::{
    Category, Folder,
    classify::{FileKind, Paths, kind_of},
    job::{File, Job, unreadable},
    jsonl,
};

/// Folders nested deeper than this are a loop or a mistake.
const DEEPEST: usize = 64;

/// Reads a folder, in the order of names.
pub async fn scrape(job: &mut Job<'_>, source: &Folder) -> Result<(), OperatorError> {
    let root = Path::new(&source.path);
    let meta = tokio::fs::metadata(root)
        .await
        .map_err(|error| unreadable(root, &error))?;
    let paths = Paths::new(&source.include, &source.exclude)?;
    if meta.is_file() {
        let name = root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        return one(job, source, root, &name, true).await;
    }
    let walk = WalkDir::new(root)
        .follow_links(false)
        .max_depth(DEEPEST)
        .sort_by_file_name();
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let entries = walk
        .into_iter()
        .filter_entry(move |entry| entry.depth() == 0 || !hidden(entry.file_name()));
    for entry in entries {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(root).to_owned();
            unreadable(&path, &error.into())
        })?;
        if !entry.file_type().is_file() {
            continue;
        }
        job.context.check_cancelled()?;
        let relative = relative(root, entry.path());
        if paths.allows(&relative) {
            one(job, source, entry.path(), &relative, false).await?;
        }
    }
    Ok(())
}

async fn one(
    job: &mut Job<'_>,
    source: &Folder,
    path: &Path,
    relative: &str,
    named: bool,
) -> Result<(), OperatorError> {
    let author = source.author.as_deref().or(job.config.author.as_deref());
    let kind = match (kind_of(relative), source.category) {
        (Some(FileKind::JsonLines), category) => {
            return jsonl::file(job, path, category.unwrap_or(Category::Article), author).await;
        }
        (Some(FileKind::Document(_, format)), Some(category)) => FileKind::Document(category, format),
        (Some(kind), None) => kind,
        // What the configuration asks for is read, whatever its name.
        (None, _) if named || !source.include.is_empty() => {
            FileKind::Document(source.category.unwrap_or(Category::Article), "text")
        }
        (None, _) => {
            job.unknown(relative);
            return Ok(());
        }
    };
    let Some(bytes) = job.read(path).await? else {
        return Ok(());
    };
    if named && crate::text::decode::is_binary(&bytes) {
        return Err(binary(&path.display().to_string()));
    }
    let link = Some(relative.to_owned());
    job.file(
        File {
            source: ["folder", &source.path],
            path: relative,
            platform: "file",
            link,
            author,
            kind,
        },
        bytes,
    )
    .await
}

/// The error for a binary that the configuration names.
pub fn binary(name: &str) -> OperatorError {
    OperatorError::data(
        "scrape.binary",
        format!("`{name}` is binary, not text"),
        "Name a text file; export documents of word processors as Markdown, HTML or text.",
    )
}

fn relative(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    parts
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join("/")
}
