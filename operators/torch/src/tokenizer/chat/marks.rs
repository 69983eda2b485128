//! `{% generation %}` and `{% endgeneration %}`: what a template marks as the model's own words.

use std::ops::Range;

use super::Rendered;

/// Noncharacters of Unicode: no text has them.
const START: char = '\u{fdd0}';
const END: char = '\u{fdd1}';

/// The template with its marks as plain Jinja that writes [`START`] and [`END`]. Whitespace is trimmed as the tags say.
pub fn prepare(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        out.push_str(&changed(tag).unwrap_or_else(|| tag.to_owned()));
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The text without marks, and where they stood.
pub fn take(marked: &str) -> Rendered {
    let (mut text, mut answers, mut open) = (String::with_capacity(marked.len()), Vec::new(), None);
    for letter in marked.chars() {
        match letter {
            START => open = Some(text.len()),
            END => answers.extend(open.take().map(|start| Range {
                start,
                end: text.len(),
            })),
            other => text.push(other),
        }
    }
    Rendered { text, answers }
}

/// A text without marks of its own.
pub fn without(text: &str) -> String {
    text.replace([START, END], "")
}

fn changed(tag: &str) -> Option<String> {
    let inner = tag.strip_prefix("{%")?.strip_suffix("%}")?;
    let (left, inner) = match inner.strip_prefix(['-', '+']) {
        Some(rest) => (&inner[..1], rest),
        None => ("", inner),
    };
    let (right, inner) = match inner.strip_suffix(['-', '+']) {
        Some(rest) => (&inner[inner.len() - 1..], rest),
        None => ("", inner),
    };
    // The mark stands between two tags, so that each side trims what the one tag trimmed.
    match inner.trim() {
        "generation" => Some(format!("{{%{left} if true %}}{START}{{% if true {right}%}}")),
        "endgeneration" => Some(format!("{{%{left} endif %}}{END}{{% endif {right}%}}")),
        _ => None,
    }
}
