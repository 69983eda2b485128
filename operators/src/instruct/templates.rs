//! Instructions: which kinds there are, how each is worded, and how names in braces are filled in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an instruction asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A section of an article, by its heading.
    Section,
    /// The beginning of an article.
    Opening,
    /// What follows a passage.
    Continue,
    /// A whole post.
    Post,
    /// A commit message.
    Commit,
    /// A file of code, from its start.
    File,
    /// The code that follows some code.
    Complete,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Section => "section",
            Self::Opening => "opening",
            Self::Continue => "continue",
            Self::Post => "post",
            Self::Commit => "commit",
            Self::File => "file",
            Self::Complete => "complete",
        })
    }
}

/// Names that a template may hold in braces.
pub const PLACEHOLDERS: [&str; 7] = [
    "title", "section", "keywords", "passage", "language", "names", "author",
];

/// What the names stand for in one document; a name without a value is left out together with its template.
#[derive(Debug, Clone, Default)]
pub struct Values<'a> {
    /// Pairs of name and value.
    pub known: Vec<(&'static str, &'a str)>,
}

impl<'a> Values<'a> {
    /// The same with one more, unless it is empty.
    #[must_use]
    pub fn with(&self, name: &'static str, value: &'a str) -> Self {
        let mut values = self.clone();
        if !value.trim().is_empty() {
            values.known.push((name, value));
        }
        values
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.known
            .iter()
            .rev()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    }
}

/// Wordings of a kind; which one is taken depends on what is known of the document.
#[must_use]
pub fn built_in(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Section => &[
            "Write the section \"{section}\" of an article titled \"{title}\".",
            "In an article about {title}, write the part headed \"{section}\".",
            "Write a section with the heading \"{section}\".",
        ],
        Kind::Opening => &[
            "Write the opening of an article titled \"{title}\".",
            "Start an article titled \"{title}\" that touches on {keywords}.",
            "Start an article about {keywords}.",
        ],
        Kind::Continue => &[
            "Continue this passage from \"{title}\":\n\n{passage}",
            "Write what comes next:\n\n{passage}",
        ],
        Kind::Post => &[
            "Write a post titled \"{title}\".",
            "Write a post about {keywords}.",
            "Share your thoughts on {keywords} in a post.",
        ],
        Kind::Commit => &[
            "Write the commit message for a change about {keywords}.",
            "Write a commit message.",
        ],
        Kind::File => &[
            "Write the file {title} in {language}, which defines {names}.",
            "Write the file {title}, which defines {names}.",
            "Write the file {title}.",
        ],
        Kind::Complete => &[
            "Complete the code in {title}:\n\n{passage}",
            "Complete this {language} code:\n\n{passage}",
            "Complete this code:\n\n{passage}",
        ],
    }
}

/// One of the wordings whose names all have a value, chosen by `pick`; `None` where no wording can be filled in.
#[must_use]
pub fn instruction<'t>(
    wordings: impl IntoIterator<Item = &'t str>,
    values: &Values<'_>,
    pick: u64,
) -> Option<String> {
    let fits = |wording: &&str| placeholders(wording).all(|name| values.get(name).is_some());
    let fitting: Vec<&str> = wordings.into_iter().filter(fits).collect();
    let count = u64::try_from(fitting.len()).ok().filter(|count| *count > 0)?;
    let wording = fitting.get(usize::try_from(pick % count).ok()?)?;
    Some(fill(wording, values))
}

/// The names in braces: lower-case letters only, so that code in a template is not taken for one.
pub fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
        .filter(|n| is_name(n))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Fills names in, in one pass: braces in a value stay as they are.
fn fill(template: &str, values: &Values<'_>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        match after
            .split_once('}')
            .and_then(|(name, tail)| Some((values.get(name)?, tail)))
        {
            Some((value, tail)) => {
                out.push_str(value);
                rest = tail;
            }
            None => {
                out.push('{');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_once_and_other_braces_stay() {
        let values = Values::default()
            .with("title", "{passage} {x}")
            .with("passage", "p")
            .with("author", " ");
        assert_eq!(
            fill("{title}: {passage} {Other} {", &values),
            "{passage} {x}: p {Other} {"
        );
        assert_eq!(
            placeholders("{title} {} {A} {pass_age} {x").collect::<Vec<_>>(),
            ["title", "pass_age"]
        );
        assert_eq!(
            instruction(["by {author}"], &values, 0),
            None,
            "an empty value is none"
        );
        assert_eq!(
            instruction(["by {author}", "p {passage}"], &values, 5).as_deref(),
            Some("p p")
        );
    }

    #[test]
    fn built_in_wordings_use_known_names_only() {
        use Kind::*;
        for kind in [Section, Opening, Continue, Post, Commit, File, Complete] {
            for name in built_in(kind).iter().flat_map(|wording| placeholders(wording)) {
                assert!(PLACEHOLDERS.contains(&name), "{kind} {name}");
            }
            let value = serde_json::to_value(kind).expect("a kind is text");
            assert_eq!(value, kind.to_string());
        }
    }
}
