//! Says of each piece what section it lies in.

use super::pieces::{Kind, Mark, Outline, Piece};

/// The deepest path that is kept.
const DEEPEST: usize = 6;

/// Pieces from their ends, each with the path of sections at its start. Headings that a piece begins with count.
#[must_use]
pub fn label(text: &str, outline: &Outline, ends: &[usize]) -> Vec<Piece> {
    let mut marks = outline.marks.iter().peekable();
    let mut blocks = outline.blocks.iter().peekable();
    let mut path: Vec<Mark> = Vec::with_capacity(DEEPEST);
    let mut start = 0;
    let mut pieces = Vec::with_capacity(ends.len());
    for &end in ends {
        while blocks.peek().is_some_and(|block| block.start < start) {
            blocks.next();
        }
        // The first block that is no heading: marks up to it are those that the piece begins with.
        let mut reach = start;
        while let Some(block) = blocks.peek().filter(|block| block.start < end) {
            reach = block.start;
            if !matches!(block.kind, Kind::Heading(_)) {
                break;
            }
            blocks.next();
        }
        while let Some(mark) = marks.peek().filter(|mark| mark.at <= reach) {
            path.retain(|above| above.level < mark.level);
            if mark.title.is_some() && path.len() < DEEPEST {
                path.push(**mark);
            }
            marks.next();
        }
        pieces.push(Piece {
            start,
            end,
            section: join(text, &path),
        });
        start = end;
    }
    pieces
}

fn join(text: &str, path: &[Mark]) -> Option<String> {
    let mut titles = path
        .iter()
        .filter_map(|mark| mark.title)
        .map(|(from, to)| &text[from..to]);
    let mut section = titles.next()?.to_owned();
    for title in titles {
        section.push_str(" > ");
        section.push_str(title);
    }
    Some(section)
}
