//! Which model a `base_path` means right now: for the cache, which must not give out what another model made.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::embed::identity;

/// What a `base_path` is recognised by: the contents of its folder, or the commit that a name on the hub stands for in this
/// machine's cache of models. `None` where there is no such folder, the name is not in the cache and its revision is no
/// commit: which one it will be is only known once it is there.
#[must_use]
pub fn base_identity(reference: &str) -> Option<String> {
    identity_in(reference, cache().as_deref())
}

fn identity_in(reference: &str, cache: Option<&Path>) -> Option<String> {
    let path = Path::new(reference);
    if path.is_dir() {
        let cached = !path.join("config.json").exists() && path.join("snapshots").is_dir();
        return if cached {
            commit(path, "main")
        } else {
            identity(path)
        };
    }
    let name = reference.strip_prefix("hf:").unwrap_or(reference);
    let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
    // No part of a name leaves the cache's folder.
    if name.contains("..") || revision.contains("..") || revision.starts_with('/') {
        return None;
    }
    // A commit stands for itself, before it was downloaded and whatever else the cache gets of the repository.
    if revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(revision.to_owned());
    }
    commit(
        &cache?.join(format!("models--{}", name.replace('/', "--"))),
        revision,
    )
}

/// The commit of a revision, or where the cache does not name it the snapshots that there are.
fn commit(repository: &Path, revision: &str) -> Option<String> {
    if let Ok(commit) = fs::read_to_string(repository.join("refs").join(revision)) {
        return Some(commit.trim().to_owned());
    }
    let entries = fs::read_dir(repository.join("snapshots")).ok()?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Some(names.join(" "))
}

/// Where Hugging Face's tools keep models.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).map(PathBuf::from);
    let home = || set("HF_HOME").or_else(|| Some(set("XDG_CACHE_HOME")?.join("huggingface")));
    let home = || home().or_else(|| Some(set("HOME")?.join(".cache/huggingface")));
    set("HF_HUB_CACHE")
        .or_else(|| set("HUGGINGFACE_HUB_CACHE"))
        .or_else(|| Some(home()?.join("hub")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_name_is_recognised_by_its_commit() {
        let cache = tempfile::tempdir().unwrap();
        let of = |name: &str| identity_in(name, Some(cache.path()));
        assert_eq!(of("owner/name"), None, "not downloaded yet");
        let repository = cache.path().join("models--owner--name");
        let write = |name: &str, text: &str| {
            let path = repository.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("snapshots/aaaa/config.json", "{}");
        write("refs/main", "aaaa\n");
        write("refs/dev", "bbbb");
        assert_eq!(of("owner/name").unwrap(), "aaaa");
        assert_eq!(of("hf:owner/name@dev").unwrap(), "bbbb");
        write("refs/main", "cccc");
        assert_eq!(of("owner/name").unwrap(), "cccc");
        // The cache's own folder, given as one.
        assert_eq!(of(repository.to_str().unwrap()).unwrap(), "cccc");
        assert_eq!(of("owner/../name@../x"), None);
        let pinned = "a".repeat(40);
        for name in ["absent", "name"] {
            assert_eq!(of(&format!("owner/{name}@{pinned}")), Some(pinned.clone()));
        }
    }

    #[test]
    fn another_chat_template_is_another_base() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        fs::write(dir.path().join("config.json"), "{}").unwrap();
        let plain = identity_in(path, None).unwrap();
        fs::write(dir.path().join("chat_template.jinja"), "a").unwrap();
        let first = identity_in(path, None).unwrap();
        fs::write(dir.path().join("chat_template.jinja"), "b").unwrap();
        let second = identity_in(path, None).unwrap();
        assert!(plain != first && first != second);
    }
}
