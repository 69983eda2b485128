//! Writes a tree anew, each scalar as it was written, with the comments that stood around it.

use super::comments::{Comment, comments_of};
use super::flow;
use crate::yaml::{Data, Node, Pair};

/// The text in canonical form. Only a mapping or list in block style is rewritten.
pub(super) fn format(text: &str, root: &Node) -> String {
    if !is_block(text, root) {
        return tidy(text);
    }
    let comments = comments_of(text, root);
    let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    let lines = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
    let mut writer = Writer {
        text,
        lines,
        out: String::with_capacity(text.len()),
        comments,
        next: 0,
        last_line: 0,
        blank_written: false,
    };
    writer.head(root);
    writer.collection(root, root.span.start, 0, text.len());
    writer.comments_before(usize::MAX, 0, 0);
    let mut out = writer.out.trim_end().to_owned();
    out.push('\n');
    out
}

/// What is not rewritten loses spaces at the end of the file only.
fn tidy(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

fn is_block(text: &str, node: &Node) -> bool {
    let first = text.as_bytes().get(content_start(text, node));
    matches!(node.data, Data::Map(_) | Data::List(_)) && !matches!(first, Some(b'{' | b'[' | b'*'))
}

/// Where a value begins after its anchor and tag, which its span includes.
fn content_start(text: &str, node: &Node) -> usize {
    let (mut at, end) = (node.span.start, node.span.end.min(text.len()));
    while at < end && text[at..].starts_with(['&', '!']) {
        at += text[at..end].find(char::is_whitespace).unwrap_or(end - at);
        while at < end && text[at..].starts_with([' ', '\t', '\n', '\r', '#']) {
            at += if text[at..].starts_with('#') {
                text[at..end].find('\n').unwrap_or(end - at)
            } else {
                1
            };
        }
    }
    at
}

struct Writer<'a> {
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
    out: String,
    comments: Vec<Comment<'a>>,
    /// The first comment that is not yet written.
    next: usize,
    /// The last line of the text that was written, to keep blank lines.
    last_line: usize,
    /// The blank lines before what comes next are a text's own.
    blank_written: bool,
}

impl<'a> Writer<'a> {
    fn line_of(&self, offset: usize) -> usize {
        self.lines
            .partition_point(|start| *start <= offset)
            .saturating_sub(1)
    }

    fn column_of(&self, offset: usize) -> usize {
        let before = &self.text[..offset];
        offset - before.rfind('\n').map_or(0, |at| at + 1)
    }

    /// Directives and the document's mark, where there are any.
    fn head(&mut self, root: &Node) {
        let before = &self.text[..root.span.start];
        if before.lines().any(|line| line.starts_with("---")) {
            let at = before.find("---").unwrap_or_default();
            self.comments_before(at, 0, 0);
            self.out.push_str("---");
            self.last_line = self.line_of(at);
            self.trailing(self.last_line);
        }
    }

    /// Goes to a new line with this indentation, after a blank line where there was one in the text.
    fn new_line(&mut self, line: usize, indent: usize) {
        if !self.out.is_empty() {
            self.out.push('\n');
            let blank = line > 0 && line > self.last_line && {
                let from = self.lines.get(line - 1).copied().unwrap_or_default();
                let upto = self.lines.get(line).copied().unwrap_or(self.text.len());
                self.text[from..upto].trim().is_empty()
            };
            if blank && !self.blank_written {
                self.out.push('\n');
            }
        }
        self.out.push_str(&" ".repeat(indent));
        self.last_line = line;
        self.blank_written = false;
    }

    /// Writes comments on lines of their own that stand before an offset and at or right of a column.
    fn comments_before(&mut self, offset: usize, column: usize, indent: usize) {
        while let Some(comment) = self.comments.get(self.next) {
            if comment.start >= offset || (comment.own_line && comment.column < column) {
                break;
            }
            let (line, text) = (comment.line, comment.text);
            self.next += 1;
            self.new_line(line, indent);
            self.out.push_str(text);
        }
    }

    /// Writes the comment at the end of a line, at the column where it was if there is room.
    fn trailing(&mut self, line: usize) {
        let Some(comment) = self
            .comments
            .get(self.next)
            .filter(|comment| comment.line == line && !comment.own_line)
        else {
            return;
        };
        let width = self.out[self.out.rfind('\n').map_or(0, |at| at + 1)..]
            .chars()
            .count();
        let (column, text) = (comment.column, comment.text);
        self.next += 1;
        self.out
            .push_str(&" ".repeat(column.saturating_sub(width).max(2)));
        self.out.push_str(text);
    }

    /// Entries of a block collection from `start` on; `limit` is where what follows it begins.
    fn collection(&mut self, node: &Node, start: usize, indent: usize, limit: usize) {
        match &node.data {
            Data::Map(pairs) => {
                for (index, pair) in pairs.iter().enumerate() {
                    self.entry(pair.key_span.start, indent);
                    let end = pairs.get(index + 1).map_or(limit, |next| next.key_span.start);
                    self.pair(pair, indent, end);
                }
                let column = pairs
                    .first()
                    .map_or(0, |pair| self.column_of(pair.key_span.start));
                self.comments_before(limit, column.max(1), indent);
            }
            Data::List(items) => {
                let dashes = self.dashes(start, items);
                for (index, item) in items.iter().enumerate() {
                    let Some(&dash) = dashes.get(index) else { return };
                    self.entry(dash, indent);
                    self.out.push('-');
                    let end = dashes.get(index + 1).copied().unwrap_or(limit);
                    self.value(item, dash + 1, indent, end, true);
                }
                let column = dashes.first().map_or(0, |dash| self.column_of(*dash));
                self.comments_before(limit, column.max(1), indent);
            }
            _ => {}
        }
    }

    /// Begins an entry on a line of its own, unless it stands right after a dash.
    fn entry(&mut self, start: usize, indent: usize) {
        if self.out.ends_with("- ") && self.next_comment() >= start {
            return;
        }
        self.comments_before(start, 0, indent);
        let line = self.line_of(start);
        self.new_line(line, indent);
    }

    fn next_comment(&self) -> usize {
        self.comments
            .get(self.next)
            .map_or(usize::MAX, |comment| comment.start)
    }

    fn pair(&mut self, pair: &Pair, indent: usize, limit: usize) {
        self.out.push_str(self.text[pair.key_span.range()].trim_end());
        let colon = self.text[pair.key_span.end..]
            .find(':')
            .map_or(pair.key_span.end, |at| pair.key_span.end + at + 1);
        self.out.push(':');
        self.value(&pair.value, colon, indent, limit, false);
    }

    /// A value after a colon or dash, which stands at `indent`.
    fn value(&mut self, node: &Node, after: usize, indent: usize, limit: usize, dash: bool) {
        let start = content_start(self.text, node).clamp(after, limit.max(after));
        let words = properties(&self.text[after..start]);
        let mut properties = words.split_whitespace().filter(|word| *word != "-").peekable();
        let plain = properties.peek().is_none();
        let mut header = None;
        for property in properties {
            self.out.push(' ');
            self.out.push_str(property);
            if property.starts_with(['|', '>']) {
                header = Some(property);
            }
        }
        if is_block(self.text, node) {
            let line = self.line_of(after);
            if dash && plain && self.line_of(start) == line {
                self.out.push(' ');
            } else {
                self.trailing(line);
            }
            return self.collection(node, after, indent + 2, limit);
        }
        if let Some(header) = header {
            let line = self.line_of(after);
            self.trailing(line);
            let body = self.text[after..]
                .find('\n')
                .map_or(self.text.len(), |at| after + at + 1);
            let end = node.span.end.clamp(body, self.text.len());
            self.block_scalar(header, &self.text[body..end], indent);
            self.last_line = self.line_of(body + self.text[body..end].trim_end().len());
            return;
        }
        let raw = self.text.get(start..node.span.end).unwrap_or_default().trim_end();
        if !raw.is_empty() {
            self.out.push(' ');
            self.scalar(raw, indent);
            self.skip_comments(node.span.end);
        }
        let last = self.line_of(if raw.is_empty() { after } else { start + raw.len() });
        self.last_line = last;
        self.trailing(last);
    }

    /// Comments inside a flow collection were written with it.
    fn skip_comments(&mut self, end: usize) {
        while self.next_comment() < end {
            self.next += 1;
        }
    }

    fn scalar(&mut self, raw: &str, indent: usize) {
        match raw.as_bytes().first() {
            Some(b'{' | b'[') => self.out.push_str(&flow::format(raw, indent)),
            _ => {
                for (index, line) in raw.lines().enumerate() {
                    if index > 0 {
                        self.out.push('\n');
                        if !line.trim().is_empty() {
                            self.out.push_str(&" ".repeat(indent + 2));
                        }
                    }
                    // A backslash at the end keeps the spaces before it; others do not count.
                    let line = if index > 0 { line.trim_start() } else { line };
                    self.out.push_str(line.trim_end());
                }
            }
        }
    }

    fn block_scalar(&mut self, header: &str, body: &str, indent: usize) {
        // With an indicator of its own, the text stands as it is.
        let indicator = header.chars().any(|c| c.is_ascii_digit());
        let lines = || body.lines();
        let old = lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.len() - line.trim_start_matches(' ').len())
            .min();
        let keep = header.contains('+');
        self.blank_written = keep;
        let body = if keep {
            body
        } else {
            body.trim_end_matches(['\n', ' '])
        };
        if body.trim().is_empty() && !keep {
            return;
        }
        for line in body.lines() {
            self.out.push('\n');
            let old = old.unwrap_or(0).min(line.len());
            let rest = if indicator {
                line
            } else {
                line.get(old..).unwrap_or_default()
            };
            if !rest.is_empty() {
                if !indicator {
                    self.out.push_str(&" ".repeat(indent + 2));
                }
                self.out.push_str(rest);
            }
        }
    }

    /// Where the dashes of a list stand.
    fn dashes(&self, start: usize, items: &[Node]) -> Vec<usize> {
        let mut found = Vec::with_capacity(items.len());
        let mut from = start;
        for item in items {
            let upto = item.span.start.clamp(from, self.text.len());
            let Some(dash) = first_dash(self.text, from, upto.max(from)) else {
                break;
            };
            found.push(dash);
            from = item.span.end.max(dash + 1);
        }
        found
    }
}

/// The first dash from an offset on that is neither in a comment nor after other text; at least up to `upto`.
fn first_dash(text: &str, from: usize, upto: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at <= upto.max(from) || bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        match bytes.get(at)? {
            b'#' => at = text[at..].find('\n').map(|end| at + end)?,
            b'-' if bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Anchors and tags before a value: what is no comment.
fn properties(text: &str) -> String {
    let words = text.lines().map(|line| match line.find('#') {
        Some(at) if at == 0 || line[..at].ends_with([' ', '\t']) => &line[..at],
        _ => line,
    });
    words.collect::<Vec<_>>().join(" ").trim().to_owned()
}
