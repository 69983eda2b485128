//! Packs blocks into pieces: greedy, beginning at headings where a piece is full enough, cutting only what is larger
//! than a piece.

use super::{
    cut::cut,
    pieces::{Block, Kind},
};
use crate::text::lines::count_chars;

/// The deepest heading that ends a piece which is full enough.
const DEEPEST_BREAK: u8 = 3;

/// Offsets at which pieces end, in order, the last being the text's length.
#[must_use]
pub fn pack(text: &str, blocks: &[Block], size: usize) -> Vec<usize> {
    let mut packer = Packer {
        text,
        size,
        ends: Vec::with_capacity(text.len() / size + 1),
        start: 0,
        filled: 0,
        tail: None,
    };
    for (index, block) in blocks.iter().enumerate() {
        let end = blocks.get(index + 1).map_or(text.len(), |next| next.start);
        packer.add(block, end);
    }
    packer.end_at(text.len());
    packer.ends
}

struct Packer<'a> {
    text: &'a str,
    size: usize,
    ends: Vec<usize>,
    /// Where the piece at hand starts.
    start: usize,
    /// Its characters, white space at its end included.
    filled: usize,
    /// Where the headings at its end start, and their characters.
    tail: Option<(usize, usize)>,
}

impl Packer<'_> {
    fn add(&mut self, block: &Block, end: usize) {
        let text = &self.text[block.start..end];
        let body = text.trim_end();
        let chars = count_chars(body);
        let white = count_chars(&text[body.len()..]);
        if let Kind::Heading(level) = block.kind
            && level <= DEEPEST_BREAK
            && self.filled * 3 >= self.size
            && self.tail.is_none()
        {
            self.end_at(block.start);
        }
        if self.filled + chars > self.size {
            self.make_room(block, chars);
        }
        if self.filled + chars > self.size {
            self.cut_up(block, end);
            return;
        }
        if matches!(block.kind, Kind::Heading(_)) {
            let (start, before) = self.tail.unwrap_or((block.start, 0));
            self.tail = Some((start, before + chars + white));
        } else {
            self.tail = None;
        }
        self.filled += chars + white;
    }

    /// Ends the piece at hand, taking headings at its end along to the next.
    fn make_room(&mut self, block: &Block, chars: usize) {
        let nearly_empty = self.filled * 4 < self.size;
        if chars > self.size && nearly_empty && block.kind == Kind::Prose {
            // A long paragraph may as well begin here as in a piece of its own.
            return;
        }
        match self.tail {
            Some((start, _)) if start == self.start => {}
            Some((start, chars)) => {
                self.end_at(start);
                self.filled = chars;
                self.tail = Some((start, chars));
            }
            None => self.end_at(block.start),
        }
        // Code that fits alone stays whole, even if its heading is left behind; prose is cut beside its heading, unless
        // the headings fill most of the piece themselves.
        let alone = block.kind != Kind::Prose || self.filled * 2 > self.size;
        if chars <= self.size && self.filled + chars > self.size && alone {
            self.end_at(block.start);
        }
    }

    /// Cuts a block that is larger than a piece; what is left of it begins the next.
    fn cut_up(&mut self, block: &Block, end: usize) {
        let mut at = block.start;
        let mut room = self.size.saturating_sub(self.filled);
        if room == 0 {
            self.end_at(at);
            room = self.size;
        }
        while let Some(length) = cut(&self.text[at..end], room, block.kind) {
            at += length;
            self.end_at(at);
            room = self.size;
        }
        self.filled = count_chars(&self.text[self.start..end]);
        self.tail = None;
    }

    fn end_at(&mut self, at: usize) {
        if at > self.start {
            self.ends.push(at);
        }
        self.start = at;
        self.filled = 0;
        self.tail = None;
    }
}
