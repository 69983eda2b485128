//! Blocks of code by its syntax: definitions with the comments and attributes above them, large ones opened up.

use std::ops::ControlFlow;

use tree_sitter::{Language, Node, ParseOptions, Parser, Tree, TreeCursor};

use super::pieces::{Block, Kind, Mark, Outline, Syntax};
use crate::text::lines::count_chars;

/// Larger files are generated; they are cut at blank lines, in bytes.
const LARGEST: usize = 512 * 1024;

/// How deep definitions are opened up.
const DEEPEST: u8 = 12;

/// Blocks and definitions; `None` where the text is too large or does not parse in bounded work.
#[must_use]
pub fn outline(text: &str, syntax: Syntax, size: usize) -> Option<Outline> {
    if text.len() > LARGEST {
        return None;
    }
    let tree = parse(text, syntax)?;
    let outline = Outline {
        blocks: vec![Block {
            start: 0,
            kind: Kind::Code,
        }],
        marks: Vec::new(),
    };
    let mut scan = Scan {
        text,
        size,
        outline,
        line: (0, 0),
    };
    scan.children(&mut tree.walk(), 1);
    Some(scan.outline)
}

fn parse(text: &str, syntax: Syntax) -> Option<Tree> {
    let language: Language = match syntax {
        Syntax::Rust => tree_sitter_rust::LANGUAGE.into(),
        Syntax::Python => tree_sitter_python::LANGUAGE.into(),
        Syntax::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
    };
    let mut parser = Parser::new();
    parser.set_language(&language).ok()?;
    // Counted in steps and not in time, so that equal text is always cut equally.
    let mut steps_left = 1_000 + text.len() / 16;
    let mut progress = |_: &tree_sitter::ParseState| match steps_left.checked_sub(1) {
        Some(left) => {
            steps_left = left;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    parser.parse_with_options(
        &mut |at, _| text.as_bytes().get(at..).unwrap_or_default(),
        None,
        Some(options),
    )
}

struct Scan<'a> {
    text: &'a str,
    size: usize,
    outline: Outline,
    /// Start of the line looked at last, and how far it is known to reach.
    line: (usize, usize),
}

impl Scan<'_> {
    fn children(&mut self, cursor: &mut TreeCursor<'_>, level: u8) {
        if !cursor.goto_first_child() {
            return;
        }
        // Where a run of comments and attributes began that belong to the definition below them.
        let mut lead: Option<usize> = None;
        let mut before: Option<Node<'_>> = None;
        loop {
            let node = cursor.node();
            let apart =
                before.is_none_or(|before| self.blank_line_between(before.end_byte(), node.start_byte()));
            if apart {
                lead = None;
            }
            let start = lead.unwrap_or_else(|| node.start_byte());
            if leads(node) {
                lead = Some(start);
            } else {
                lead = None;
            }
            self.block(start);
            self.definition(node, start, level);
            if level < DEEPEST
                && node.child_count() > 0
                && count_chars(&self.text[node.byte_range()]) > self.size
            {
                self.children(cursor, level + 1);
            }
            before = Some(node);
            if !cursor.goto_next_sibling() {
                break;
            }
        }
        cursor.goto_parent();
    }

    /// Begins a block at the line of `at`, where nothing but indentation is before it on that line.
    fn block(&mut self, at: usize) {
        let line = self.line_start(at);
        let new_line = self.outline.blocks.last().is_some_and(|last| line > last.start);
        if new_line
            && self.text[line..at]
                .bytes()
                .all(|byte| matches!(byte, b' ' | b'\t'))
        {
            self.outline.blocks.push(Block {
                start: line,
                kind: Kind::Code,
            });
        }
    }

    fn definition(&mut self, node: Node<'_>, start: usize, level: u8) {
        let inner = node.child_by_field_name("definition").unwrap_or(node);
        let name = inner.child_by_field_name("name").or_else(|| {
            (inner.kind() == "impl_item")
                .then(|| inner.child_by_field_name("type"))
                .flatten()
        });
        let title = name.map(|name| (name.start_byte(), name.end_byte()));
        // Marks only where something changes: a nameless node after a nameless one ends nothing.
        let at = self.line_start(start);
        let changes = title.is_some()
            || self
                .outline
                .marks
                .iter()
                .rev()
                .take(1)
                .any(|mark| mark.level >= level && mark.title.is_some());
        if changes && !leads(node) && self.outline.marks.last().is_none_or(|last| at >= last.at) {
            self.outline.marks.push(Mark { at, level, title });
        }
    }

    /// Nodes come nearly in order, so only what lies between two of them is searched: lines may be as long as files.
    fn line_start(&mut self, at: usize) -> usize {
        let (start, reach) = self.line;
        let bytes = self.text.as_bytes();
        if at > reach {
            let line = memchr::memrchr(b'\n', &bytes[reach..at]).map_or(start, |newline| reach + newline + 1);
            self.line = (line, at);
        } else if at < start {
            self.line = (
                memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |newline| newline + 1),
                at,
            );
        }
        self.line.0
    }

    fn blank_line_between(&self, from: usize, to: usize) -> bool {
        // A line comment's node may or may not include its newline, so one newline before `from` counts as well.
        let gap = self.text.get(from..to).unwrap_or_default();
        let newlines = gap.bytes().filter(|byte| *byte == b'\n').count();
        newlines + usize::from(self.text[..from].ends_with('\n')) > 1
    }
}

/// Comments, attributes and decorators, which belong to what follows them.
fn leads(node: Node<'_>) -> bool {
    node.kind().contains("comment") || matches!(node.kind(), "attribute_item" | "decorator")
}
