//! A document on its way into the feature store.

use serde_json::{Map, Value};

use super::Category;

/// Hexadecimal digits of a document id.
const ID_LENGTH: usize = 32;

/// A document as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// See [`id`].
    pub id: String,
    /// What it is.
    pub category: Category,
    /// The host it is from, `git` or `file`.
    pub platform: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// Where a reader finds it.
    pub link: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// `markdown`, `html`, `text` or `code`.
    pub format: &'static str,
    /// Its text.
    pub text: String,
    /// Milliseconds since 1970 UTC.
    pub published_at: Option<i64>,
    /// Milliseconds since 1970 UTC.
    pub updated_at: Option<i64>,
    /// All else that is known.
    pub metadata: Map<String, Value>,
}

/// A stable id from what identifies a document: the kind of source, and a link, a path, or the text itself.
#[must_use]
pub fn id(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // Lengths keep `["ab", "c"]` and `["a", "bc"]` apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut id = hasher.finalize().to_hex().to_string();
    id.truncate(ID_LENGTH);
    id
}

/// The title of a Markdown text: its front matter's, or its first heading of the first level.
#[must_use]
pub fn markdown_title(text: &str) -> Option<String> {
    let mut lines = text.lines().take(200);
    let front = text.starts_with("---\n") || text.starts_with("---\r\n");
    if front {
        lines.next();
        for line in lines.by_ref().take_while(|line| line.trim_end() != "---") {
            if let Some(title) = line.strip_prefix("title:") {
                let title = title.trim().trim_matches(['"', '\'']);
                if !title.is_empty() {
                    return Some(title.to_owned());
                }
            }
        }
    }
    let title = lines
        .find_map(|line| line.strip_prefix("# "))?
        .trim()
        .trim_end_matches('#')
        .trim_end();
    (!title.is_empty()).then(|| title.to_owned())
}

/// The text of the first element of a name in HTML, such as `title`, in one line.
#[must_use]
pub fn html_title(html: &str) -> Option<String> {
    let head = &html[..floor(html, 64 * 1024)];
    let lower = head.to_ascii_lowercase();
    let open = lower.find("<title")?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let words = crate::clean::html_text(&head[start..end]);
    let title = words.split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then_some(title)
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
