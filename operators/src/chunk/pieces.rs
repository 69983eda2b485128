//! A text to pieces: contiguous ranges that together are the whole text.

use super::{code, markdown, pack::pack, plain, sections};

/// A stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Offset of its first byte.
    pub start: usize,
    /// Offset past its last byte; the next piece starts here.
    pub end: usize,
    /// The headings above it (for code: the definitions around it), joined by ` > `.
    pub section: Option<String>,
}

/// How a text is to be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// By headings, paragraphs and code blocks.
    Markdown,
    /// Whole, or by lines.
    Post,
    /// By syntax where the language is known, else by blank lines.
    Code(Option<Syntax>),
}

/// Languages that are cut by their syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// JavaScript and JSX.
    JavaScript,
}

impl Shape {
    /// By a document's category and language.
    #[must_use]
    pub fn of(category: &str, language: Option<&str>) -> Self {
        match (category, language) {
            ("code", Some("rust")) => Self::Code(Some(Syntax::Rust)),
            ("code", Some("python")) => Self::Code(Some(Syntax::Python)),
            ("code", Some("javascript")) => Self::Code(Some(Syntax::JavaScript)),
            ("code", _) => Self::Code(None),
            ("post", _) => Self::Post,
            _ => Self::Markdown,
        }
    }
}

/// Cuts `text` into pieces of at most `size` characters, trailing white space not counted.
///
/// The pieces are contiguous, in order, on character boundaries, none is empty, and their concatenation is `text`.
#[must_use]
pub fn split(text: &str, shape: Shape, size: usize) -> Vec<Piece> {
    if text.is_empty() {
        return Vec::new();
    }
    let size = size.max(1);
    if shape == Shape::Post && text.len() <= size {
        return vec![Piece {
            start: 0,
            end: text.len(),
            section: None,
        }];
    }
    let outline = match shape {
        Shape::Markdown => markdown::outline(text),
        Shape::Post => plain::by_line(text),
        Shape::Code(Some(syntax)) => {
            code::outline(text, syntax, size).unwrap_or_else(|| plain::by_blank_line(text))
        }
        Shape::Code(None) => plain::by_blank_line(text),
    };
    sections::label(text, &outline, &pack(text, &outline.blocks, size))
}

/// What a scanner finds in a text: blocks that cover it, and marks that say what section begins where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// In order; the first starts at 0, each ends where the next starts.
    pub blocks: Vec<Block>,
    /// In order.
    pub marks: Vec<Mark>,
}

/// A stretch that is better not cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Offset of its first byte.
    pub start: usize,
    /// What it is.
    pub kind: Kind,
}

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A heading of a level from 1: never last in a piece, and a good place to begin one.
    Heading(u8),
    /// Prose: cut at sentences where it has to be.
    Prose,
    /// Code, tables: cut at lines where it has to be.
    Code,
}

/// Where a section begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Offset.
    pub at: usize,
    /// From 1; ends all sections of this level and deeper.
    pub level: u8,
    /// Where its title lies in the text; none ends a section without beginning another.
    pub title: Option<(usize, usize)>,
}
