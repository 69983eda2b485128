//! Where to cut a stretch that is larger than a piece.

use unicode_segmentation::UnicodeSegmentation;

use super::pieces::Kind;
use crate::text::lines::offset_of_char;

/// The length in bytes of what is to be cut off `text`, so that it has at most `room` characters before its trailing
/// white space; `None` when the whole fits. At least one character long.
#[must_use]
pub fn cut(text: &str, room: usize, kind: Kind) -> Option<usize> {
    let room = room.max(1);
    let limit = offset_of_char(text, room);
    if text[limit..].trim_start().is_empty() {
        return None;
    }
    let head = &text[..limit];
    let found = match kind {
        Kind::Code => after_blank_line(head)
            .or_else(|| after_line(head, 0))
            .or_else(|| after_word(head)),
        Kind::Prose | Kind::Heading(_) => after_sentence(text, limit)
            .or_else(|| after_line(head, limit / 2))
            .or_else(|| after_word(head)),
    };
    let at = found.unwrap_or_else(|| between_graphemes(text, limit));
    Some(with_white_space(text, at))
}

fn after_blank_line(head: &str) -> Option<usize> {
    let from = floor(head, head.len() / 2);
    memchr::memmem::rfind(&head.as_bytes()[from..], b"\n\n").map(|at| from + at + 2)
}

fn after_line(head: &str, from: usize) -> Option<usize> {
    let from = floor(head, from);
    memchr::memrchr(b'\n', &head.as_bytes()[from..])
        .map(|at| from + at + 1)
        .filter(|at| !head[..*at].trim().is_empty())
}

/// After the last sentence that ends in the second half; its end may be the limit itself.
fn after_sentence(text: &str, limit: usize) -> Option<usize> {
    let from = floor(text, limit / 2);
    let mut after = text[limit..].chars().next();
    let mut end = limit;
    for letter in text[from..limit].chars().rev() {
        let ends = match letter {
            '.' | '!' | '?' | '…' | ':' => after.is_none_or(char::is_whitespace),
            '。' | '！' | '？' => true,
            _ => false,
        };
        if ends {
            return Some(end);
        }
        after = Some(letter);
        end -= letter.len_utf8();
    }
    None
}

fn after_word(head: &str) -> Option<usize> {
    let at = head.rfind(char::is_whitespace)?;
    let word = !head[..at].trim().is_empty();
    word.then(|| at + head[at..].chars().next().map_or(1, char::len_utf8))
}

/// The last boundary between what a reader sees as characters, at or before the limit.
fn between_graphemes(text: &str, limit: usize) -> usize {
    // Clusters are short; a hostile one of any length is cut between its code points.
    let from = floor(text, limit.saturating_sub(64));
    let to = floor(text, (limit + 64).min(text.len()));
    let starts = text[from..to].grapheme_indices(true).map(|(at, _)| from + at);
    starts
        .rev()
        .find(|at| *at > from && *at <= limit)
        .unwrap_or(limit)
}

/// White space after a cut belongs to what is cut off, up to the last line's indentation.
fn with_white_space(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let white = rest.len() - rest.trim_start().len();
    match memchr::memrchr(b'\n', &rest.as_bytes()[..white]) {
        Some(newline) => at + newline + 1,
        // After a line's end, what follows is indentation.
        None if text[..at].ends_with('\n') => at,
        None => at + white,
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
