//! Comments and where they stand.

use crate::yaml::{Data, Node};

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment<'a> {
    pub(super) text: &'a str,
    /// Its first byte in the text.
    pub(super) start: usize,
    /// Its line, from 0.
    pub(super) line: usize,
    /// Characters before it in its line.
    pub(super) column: usize,
    /// Whether nothing stands before it in its line.
    pub(super) own_line: bool,
}

/// All comments of a text, in order: `#` at the begin of a line or after a space, outside of scalars.
pub(super) fn comments_of<'a>(text: &'a str, root: &Node) -> Vec<Comment<'a>> {
    let mut scalars = Vec::new();
    collect(text, root, &mut scalars);
    scalars.sort_unstable();
    let (mut found, mut scalar, mut start) = (Vec::new(), 0, 0);
    for (line, content) in text.split('\n').enumerate() {
        let mut at = start;
        let end = start + content.len();
        while at < end {
            while scalars.get(scalar).is_some_and(|(_, end)| *end <= at) {
                scalar += 1;
            }
            if let Some((from, to)) = scalars.get(scalar).filter(|(from, to)| *from <= at && at < *to) {
                at = (*to).max(from + 1);
                continue;
            }
            let before = &text[start..at];
            if text.as_bytes()[at] == b'#' && (before.is_empty() || before.ends_with([' ', '\t'])) {
                let own_line = before.trim().is_empty();
                found.push(Comment {
                    text: text[at..end].trim_end(),
                    start: at,
                    line,
                    column: before.chars().count(),
                    own_line,
                });
                break;
            }
            at += 1;
            while !text.is_char_boundary(at) {
                at += 1;
            }
        }
        start = end + 1;
    }
    found
}

/// Spans of all scalars and keys that stand in the text themselves (not through an alias).
fn collect(text: &str, node: &Node, scalars: &mut Vec<(usize, usize)>) {
    if text.as_bytes().get(node.span.start) == Some(&b'*') {
        return;
    }
    match &node.data {
        Data::List(items) => items.iter().for_each(|item| collect(text, item, scalars)),
        Data::Map(pairs) => {
            for pair in pairs {
                scalars.push((pair.key_span.start, pair.key_span.end));
                collect(text, &pair.value, scalars);
            }
        }
        _ => scalars.push((node.span.start, node.span.end)),
    }
}
