//! Tests over the crate as a whole: that every operator is complete, and that dependencies point one way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod architecture;
mod tidy;

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

/// The files below a folder that are kept in version control, as far as folders say; those that `skipped` names are left
/// out with all that is in them.
fn files(folder: &Path, skipped: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let built = |entry: &DirEntry| {
        let name = entry.file_name().to_string_lossy();
        ["node_modules", "dist", "target"].contains(&name.as_ref()) || name.starts_with('.')
    };
    let enter = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_type().is_dir() || !(built(entry) || skipped(entry.path()))
    };
    let entries = WalkDir::new(folder)
        .into_iter()
        .filter_entry(enter)
        .map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.map(DirEntry::into_path).collect()
}
