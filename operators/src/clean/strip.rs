//! HTML to text without a parser: for pages nested too deep to build a tree of.

/// Elements that begin a new line.
const BLOCKS: [&str; 24] = [
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "tr",
    "table",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "aside",
    "nav",
    "blockquote",
    "pre",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
];

/// Elements whose content is not text.
const SILENT: [&str; 4] = ["script", "style", "noscript", "template"];

/// Elements that the next of their kind ends, or that have no end: they do not nest.
const FLAT: [&str; 30] = [
    "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "option", "optgroup", "rp", "rt",
    "colgroup", "html", "body", "head", "area", "base", "br", "col", "embed", "hr", "img", "input", "link",
    "meta", "source", "wbr",
];

/// How deep elements nest, counted without building a tree, up to `limit`.
pub fn depth(html: &str, limit: usize) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for tag in Tags::of(html) {
        if FLAT.iter().any(|flat| flat.eq_ignore_ascii_case(tag.name)) || tag.empty {
            continue;
        }
        depth = if tag.closing {
            depth.saturating_sub(1)
        } else {
            depth + 1
        };
        deepest = deepest.max(depth);
        if deepest >= limit {
            break;
        }
    }
    deepest
}

/// The text of a page, one line a block.
pub fn text(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let (mut copied, mut silent): (usize, Option<&str>) = (0, None);
    for tag in Tags::of(html) {
        if silent.is_none() {
            push_unescaped(&html[copied..tag.start], &mut out);
        }
        copied = tag.end;
        let is = |names: &[&'static str]| {
            names
                .iter()
                .find(|name| name.eq_ignore_ascii_case(tag.name))
                .copied()
        };
        match silent {
            Some(name) if tag.closing && name.eq_ignore_ascii_case(tag.name) => silent = None,
            Some(_) => {}
            None if !tag.closing && !tag.empty => silent = is(&SILENT),
            None => {}
        }
        if is(&BLOCKS).is_some() && !out.ends_with('\n') {
            out.push('\n');
        }
    }
    if silent.is_none() {
        push_unescaped(&html[copied..], &mut out);
    }
    out.trim().to_owned()
}

struct Tag<'a> {
    name: &'a str,
    closing: bool,
    empty: bool,
    start: usize,
    end: usize,
}

struct Tags<'a> {
    html: &'a str,
    at: usize,
}

impl<'a> Tags<'a> {
    fn of(html: &'a str) -> Self {
        Self { html, at: 0 }
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let bytes = self.html.as_bytes();
        loop {
            let start = self.at + memchr::memchr(b'<', &bytes[self.at..])?;
            let rest = &self.html[start + 1..];
            if rest.starts_with("!--") {
                let end = rest.find("-->").map_or(bytes.len(), |at| start + 1 + at + 3);
                self.at = end;
                return Some(Tag {
                    name: "",
                    closing: false,
                    empty: true,
                    start,
                    end,
                });
            }
            let closing = rest.starts_with('/');
            let name = &rest[usize::from(closing)..];
            let length = name
                .bytes()
                .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
                .count();
            if length == 0 && !rest.starts_with(['!', '?']) {
                self.at = start + 1;
                continue;
            }
            let end = memchr::memchr(b'>', rest.as_bytes()).map_or(bytes.len(), |at| start + 1 + at + 1);
            let empty = length == 0 || self.html[start..end].ends_with("/>");
            self.at = end;
            return Some(Tag {
                name: &name[..length],
                closing,
                empty,
                start,
                end,
            });
        }
    }
}

fn push_unescaped(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest
            .as_bytes()
            .iter()
            .take(12)
            .position(|byte| *byte == b';')
            .map(|end| &rest[1..end]);
        match entity.and_then(|entity| Some((unescape(entity)?, entity.len() + 2))) {
            Some((letter, length)) => {
                out.push(letter);
                rest = &rest[length..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
}

fn unescape(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{A0}'),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|letter| *letter != '\0')
        }
    }
}
