//! Finds the blocks of Markdown: headings, paragraphs, fenced and indented code, tables.
//!
//! A line scanner and no parser: cutting needs block boundaries alone, must not fail on any text, and is linear.

use super::pieces::{Block, Kind, Mark, Outline};
use crate::text::lines::{Line, Lines, is_list_item};

/// Blocks and headings of a Markdown text.
#[must_use]
pub fn outline(text: &str) -> Outline {
    let mut scan = Scan::default();
    for line in Lines::of(text) {
        scan.line(text, line);
    }
    if scan.outline.blocks.is_empty() {
        scan.begin(0, Kind::Prose);
    }
    scan.outline
}

#[derive(Default)]
struct Scan {
    outline: Outline,
    fence: Option<Fence>,
    /// The next line that is not blank begins a block.
    open: bool,
    /// Lines of the block at hand.
    lines: usize,
    indented: bool,
}

#[derive(Clone, Copy)]
struct Fence {
    mark: u8,
    length: usize,
}

impl Scan {
    fn line(&mut self, text: &str, line: Line<'_>) {
        let bytes = line.text.as_bytes();
        let indent = bytes.iter().take_while(|byte| **byte == b' ').count();
        let first = bytes.get(indent).copied().unwrap_or(b'\n');
        if let Some(fence) = self.fence {
            if first == fence.mark && closes(&bytes[indent..], fence) {
                self.fence = None;
                self.open = true;
            }
            return;
        }
        match first {
            b'\n' | b'\r' => self.open = true,
            b'\t' if line.is_blank() => self.open = true,
            b'`' | b'~' if let Some(fence) = opens(&bytes[indent..]) => {
                self.begin(line.start, Kind::Code);
                self.fence = Some(fence);
            }
            b'#' if indent < 4
                && let Some(level) = heading_level(&bytes[indent..]) =>
            {
                self.heading(text, line.start, line.start + line.text.len(), level);
            }
            b'=' | b'-' if self.underlines(bytes) => self.underlined(text, first),
            _ => self.body(line, indent >= 4 || first == b'\t', first),
        }
    }

    fn body(&mut self, line: Line<'_>, indented: bool, first: u8) {
        let continues_code = self.indented && indented;
        // Nested list items are indented as deep as code.
        let indented = continues_code || (indented && !is_list_item(line.text));
        if (self.open || self.outline.blocks.is_empty()) && !continues_code {
            let kind = if indented || first == b'|' {
                Kind::Code
            } else {
                Kind::Prose
            };
            self.begin(line.start, kind);
            self.indented = indented;
        } else {
            self.open = false;
            self.lines += 1;
        }
    }

    fn begin(&mut self, at: usize, kind: Kind) {
        // White space before the first block belongs to it.
        let start = if self.outline.blocks.is_empty() { 0 } else { at };
        self.outline.blocks.push(Block { start, kind });
        (self.open, self.lines, self.indented) = (false, 1, false);
    }

    fn heading(&mut self, text: &str, start: usize, end: usize, level: u8) {
        self.begin(start, Kind::Heading(level));
        self.mark(text, start, end, level);
        self.open = true;
    }

    fn mark(&mut self, text: &str, start: usize, end: usize, level: u8) {
        let strip = |letter: char| letter.is_whitespace() || matches!(letter, '#' | '*' | '_');
        let title = text[start..end].trim_matches(strip);
        if !title.is_empty() {
            let from = start + (text[start..end].len() - text[start..end].trim_start_matches(strip).len());
            self.outline.marks.push(Mark {
                at: start,
                level,
                title: Some((from, from + title.len())),
            });
        }
    }

    /// Whether this line makes the one-line paragraph above it a heading.
    fn underlines(&self, bytes: &[u8]) -> bool {
        let one_line = self.lines == 1 && !self.open;
        let above = self
            .outline
            .blocks
            .last()
            .is_some_and(|block| block.kind == Kind::Prose);
        let line = bytes.trim_ascii();
        one_line && above && line.len() >= 2 && line.iter().all(|byte| *byte == line[0])
    }

    fn underlined(&mut self, text: &str, first: u8) {
        let level = if first == b'=' { 1 } else { 2 };
        let Some(block) = self.outline.blocks.last_mut() else {
            return;
        };
        block.kind = Kind::Heading(level);
        let start = block.start;
        let end = text[start..]
            .trim_start()
            .find('\n')
            .map_or(text.len(), |length| {
                start + (text[start..].len() - text[start..].trim_start().len()) + length
            });
        self.mark(text, start, end, level);
        self.open = true;
    }
}

fn heading_level(bytes: &[u8]) -> Option<u8> {
    let level = bytes.iter().take_while(|byte| **byte == b'#').count();
    let spaced = matches!(bytes.get(level), None | Some(b' ' | b'\t' | b'\r'));
    u8::try_from(level).ok().filter(|level| *level <= 6 && spaced)
}

fn opens(bytes: &[u8]) -> Option<Fence> {
    let mark = bytes[0];
    let length = bytes.iter().take_while(|byte| **byte == mark).count();
    // A backtick after the marks makes it inline code.
    (length >= 3 && (mark == b'~' || memchr::memchr(b'`', &bytes[length..]).is_none()))
        .then_some(Fence { mark, length })
}

fn closes(bytes: &[u8], fence: Fence) -> bool {
    let length = bytes.iter().take_while(|byte| **byte == fence.mark).count();
    length >= fence.length && bytes[length..].trim_ascii().is_empty()
}
