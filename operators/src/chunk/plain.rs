//! Blocks of text without structure: lines, or stretches between blank lines.

use super::pieces::{Block, Kind, Outline};
use crate::text::lines::Lines;

/// Each line that is not blank is a block, blank ones after it included.
#[must_use]
pub fn by_line(text: &str) -> Outline {
    blocks(text, |_, _| true, Kind::Prose)
}

/// Blocks begin after blank lines, at lines that are not indented deeper than the block's first.
#[must_use]
pub fn by_blank_line(text: &str) -> Outline {
    let mut first = usize::MAX;
    let begins = |after_blank: bool, line: &str| {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        let begins = first == usize::MAX || (after_blank && indent <= first);
        if begins {
            first = indent;
        }
        begins
    };
    blocks(text, begins, Kind::Code)
}

fn blocks(text: &str, mut begins: impl FnMut(bool, &str) -> bool, kind: Kind) -> Outline {
    let mut blocks = Vec::new();
    let mut after_blank = false;
    for line in Lines::of(text) {
        if line.is_blank() {
            after_blank = true;
            continue;
        }
        if begins(after_blank, line.text) {
            blocks.push(Block {
                start: if blocks.is_empty() { 0 } else { line.start },
                kind,
            });
        }
        after_blank = false;
    }
    if blocks.is_empty() {
        blocks.push(Block { start: 0, kind });
    }
    Outline {
        blocks,
        marks: Vec::new(),
    }
}
