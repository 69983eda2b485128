//! Lines with their place in a text, found without copying.

/// A line: its text without the newline, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Without the `\n`.
    pub text: &'a str,
    /// Offset of its first byte.
    pub start: usize,
    /// Offset past its newline (or past its last byte, at the end of the text).
    pub next: usize,
}

impl Line<'_> {
    /// Whether nothing but spaces and tabs is on it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
    }
}

/// The lines of a text.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lines<'a> {
    /// From its start.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let start = self.at;
        if start >= self.text.len() {
            return None;
        }
        let (end, next) = match memchr::memchr(b'\n', &self.text.as_bytes()[start..]) {
            Some(offset) => (start + offset, start + offset + 1),
            None => (self.text.len(), self.text.len()),
        };
        self.at = next;
        Some(Line {
            text: &self.text[start..end],
            start,
            next,
        })
    }
}

/// Characters of a text. Counts bytes that begin one, which the compiler turns into vector instructions.
#[must_use]
pub fn count_chars(text: &str) -> usize {
    text.as_bytes()
        .iter()
        .filter(|byte| (**byte as i8) >= -0x40)
        .count()
}

/// The offset just past the first `count` characters, or the text's length where it has fewer.
#[must_use]
pub fn offset_of_char(text: &str, count: usize) -> usize {
    if text.len() <= count {
        return text.len();
    }
    // Each character has at least one byte, so whole windows can be counted before single characters are.
    let (mut at, mut left) = (0, count);
    while left >= 64 && at + left <= text.len() {
        let mut end = at + left;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        left -= count_chars(&text[at..end]);
        at = end;
    }
    text[at..]
        .char_indices()
        .nth(left)
        .map_or(text.len(), |(offset, _)| at + offset)
}

/// Whether a line is a list item, however deep: `* x`, `- x`, `+ x`, `12. x`, `12) x`.
#[must_use]
pub fn is_list_item(line: &str) -> bool {
    let line = line.trim_ascii_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    let marked = if digits > 0 {
        rest.starts_with(['.', ')'])
    } else {
        rest.starts_with(['*', '-', '+'])
    };
    marked && digits < 10 && rest[1..].starts_with([' ', '\t'])
}
