//! Articles in Markdown: one pass that copies the author's text and leaves out the site's.

use std::borrow::Cow;

use super::{Config, byline, chrome};
use crate::text::{
    lines::{Line, Lines, is_list_item},
    styled,
};

/// An article without chrome.
pub struct Article<'a> {
    /// Its text.
    pub text: Cow<'a, str>,
    /// Milliseconds since 1970 UTC, from the byline.
    pub published_at: Option<i64>,
}

/// Cleans an article. Code, whether fenced or indented, is copied byte by byte.
pub fn clean<'a>(text: &'a str, author: Option<&str>, config: &Config) -> Article<'a> {
    let text = if config.chrome {
        &text[..chrome::foot(text)]
    } else {
        text
    };
    let mut scan = Scan {
        text,
        author,
        config,
        out: String::new(),
        copied: 0,
        recent: [(0, 0); 4],
        published_at: None,
    };
    scan.run();
    let published_at = scan.published_at;
    let text = if scan.copied == 0 && scan.out.is_empty() {
        if config.plain_letters {
            styled::plain(trim(text))
        } else {
            Cow::Borrowed(trim(text))
        }
    } else {
        scan.copy(text.len());
        let mut out = scan.out;
        out.truncate(out.trim_end().len());
        match out.len() - trim_blank_lines(&out).len() {
            0 => {}
            blank => drop(out.drain(..blank)),
        }
        Cow::Owned(out)
    };
    Article { text, published_at }
}

struct Scan<'a, 'b> {
    text: &'a str,
    author: Option<&'b str>,
    config: &'b Config,
    out: String,
    /// What is before it is in `out` or was left out.
    copied: usize,
    /// Start and end of the last paragraphs, the latest first.
    recent: [(usize, usize); 4],
    published_at: Option<i64>,
}

impl<'a> Scan<'a, '_> {
    fn run(&mut self) {
        let mut lines = Lines::of(self.text).peekable();
        let mut after_blank = true;
        while let Some(line) = lines.next() {
            if line.is_blank() {
                after_blank = true;
                continue;
            }
            let begins = std::mem::take(&mut after_blank);
            if let Some(fence) = fence(line.text) {
                self.copy(line.start);
                let end = lines
                    .by_ref()
                    .find(|line| fence.closes(line.text))
                    .map_or(self.text.len(), |line| line.next);
                self.copy_code(end);
                after_blank = true;
                continue;
            }
            if !begins {
                continue;
            }
            // Nested list items are indented as deep as code.
            if is_indented(line.text) && !is_list_item(line.text) {
                self.copy(line.start);
                let mut end = line.next;
                while let Some(next) = lines.next_if(|line| is_indented(line.text) || line.is_blank()) {
                    end = next.next;
                }
                self.copy_code(end);
                after_blank = true;
                continue;
            }
            if self.config.chrome && chrome::may_begin(line.text) {
                let end = self.chrome(line);
                if end > line.start {
                    while lines.next_if(|line| line.start < end).is_some() {}
                    after_blank = true;
                    continue;
                }
            }
            let end = paragraph_end(self.text, line.start);
            self.recent.rotate_right(1);
            self.recent[0] = (line.start, end);
        }
    }

    /// Leaves out the chrome that begins at a line and what belongs to it before; returns where the text goes on.
    fn chrome(&mut self, line: Line<'a>) -> usize {
        let Some(found) = chrome::at(self.text, line.start) else {
            return line.start;
        };
        let mut start = line.start;
        match found.kind {
            chrome::Kind::Button => {
                let (from, to) = self.recent[0];
                if to > from && chrome::asks_to_subscribe(&self.text[from..to]) {
                    start = from;
                }
            }
            chrome::Kind::ShareMenu => start = self.byline(start),
            chrome::Kind::Line => {}
        }
        let start = start.max(self.copied);
        self.copy(start);
        self.copied = found.end;
        found.end
    }

    /// Author, date and count of likes stand between a title and a share menu: columns hold them.
    fn byline(&mut self, menu: usize) -> usize {
        let mut start = menu;
        let mut recent = self
            .recent
            .iter()
            .filter(|(from, to)| to > from)
            .map(|(from, to)| (*from, self.text[*from..*to].trim()));
        let mut next = recent.next();
        if let Some((from, text)) = next
            && byline::is_count(text)
        {
            start = from;
            next = recent.next();
        }
        if let Some((from, text)) = next
            && let Some(date) = byline::date(text)
        {
            self.published_at.get_or_insert(date);
            start = from;
            if let Some((from, text)) = recent.next()
                && byline::is_name(text, self.author)
            {
                start = from;
            }
        }
        start
    }

    fn copy(&mut self, to: usize) {
        if to > self.copied {
            let prose = &self.text[self.copied..to];
            if self.out.capacity() == 0 {
                self.out.reserve(self.text.len() - self.copied);
            }
            if self.config.plain_letters {
                self.out.push_str(&styled::plain(prose));
            } else {
                self.out.push_str(prose);
            }
            self.copied = to;
        }
    }

    fn copy_code(&mut self, to: usize) {
        if to > self.copied {
            self.out.push_str(&self.text[self.copied..to]);
            self.copied = to;
        }
    }
}

/// A fence that opens a code block.
struct Fence {
    mark: u8,
    length: usize,
}

impl Fence {
    fn closes(&self, line: &str) -> bool {
        let line = line.trim_ascii();
        line.len() >= self.length && line.bytes().all(|byte| byte == self.mark)
    }
}

fn fence(line: &str) -> Option<Fence> {
    let line = line.trim_ascii_start().as_bytes();
    let mark = *line.first().filter(|mark| matches!(mark, b'`' | b'~'))?;
    let length = line.iter().take_while(|byte| **byte == mark).count();
    let inline = mark == b'`' && memchr::memchr(b'`', &line[length..]).is_some();
    (length >= 3 && !inline).then_some(Fence { mark, length })
}

fn is_indented(line: &str) -> bool {
    line.starts_with("    ") || line.starts_with('\t')
}

/// Where the paragraph that starts at `start` ends: before the first blank line, newline included.
fn paragraph_end(text: &str, start: usize) -> usize {
    Lines::of(&text[start..])
        .take_while(|line| !line.is_blank())
        .last()
        .map_or(start, |line| start + line.next)
}

fn trim(text: &str) -> &str {
    trim_blank_lines(text).trim_end()
}

/// Without blank lines at the start; the first line's indentation may be code.
fn trim_blank_lines(text: &str) -> &str {
    let skip = Lines::of(text)
        .take_while(Line::is_blank)
        .last()
        .map_or(0, |line| line.next);
    &text[skip..]
}
