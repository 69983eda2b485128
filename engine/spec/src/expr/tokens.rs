//! What an expression refers to, found in its tokens: `steps.train.metrics.loss` is the root `steps` with a path.

use std::ops::Range;

/// A name that an expression reads from its scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The first name: `params`, `steps`, `item`.
    pub(crate) root: String,
    /// The constant parts that follow; it ends before the first that is computed.
    pub(crate) path: Vec<PathPart>,
    /// Its bytes in the expression, path included.
    pub(crate) range: Range<usize>,
}

/// A part of a path: `.name`, `["name"]` or `[0]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathPart {
    Name(String),
    Index(usize),
}

impl Reference {
    /// The path's name at a position.
    pub(crate) fn name(&self, at: usize) -> Option<&str> {
        match self.path.get(at) {
            Some(PathPart::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// As it is written, in the plainest form.
    pub(crate) fn display(&self, parts: usize) -> String {
        let mut out = self.root.clone();
        for part in self.path.iter().take(parts) {
            match part {
                PathPart::Name(name) => {
                    out.push('.');
                    out.push_str(name);
                }
                PathPart::Index(index) => out.push_str(&format!("[{index}]")),
            }
        }
        out
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ident,
    Text,
    Number,
    Symbol(u8),
}

#[derive(Debug, Clone)]
struct Token {
    kind: Kind,
    range: Range<usize>,
}

const KEYWORDS: &[&str] = &[
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None",
];

/// All references of an expression, in order. Functions, filters, tests and argument names are none.
pub(crate) fn references(expression: &str) -> Vec<Reference> {
    let tokens = tokenize(expression);
    let text = |token: &Token| &expression[token.range.clone()];
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        if token.kind != Kind::Ident
            || KEYWORDS.contains(&text(token))
            || !in_variable_position(expression, &tokens, at)
        {
            at += 1;
            continue;
        }
        let (path, next) = path(expression, &tokens, at + 1);
        let end = tokens[next - 1].range.end;
        found.push(Reference {
            root: text(token).to_owned(),
            path,
            range: token.range.start..end,
        });
        at = next;
    }
    found
}

/// How often an expression multiplies.
pub(super) fn products(expression: &str) -> usize {
    tokenize(expression)
        .iter()
        .filter(|token| token.kind == Kind::Symbol(b'*'))
        .count()
}

fn in_variable_position(expression: &str, tokens: &[Token], at: usize) -> bool {
    let before = at.checked_sub(1).map(|at| &tokens[at]);
    if let Some(before) = before {
        let word = &expression[before.range.clone()];
        if matches!(before.kind, Kind::Symbol(b'.' | b'|')) || (before.kind == Kind::Ident && word == "is") {
            return false;
        }
        // `x is not defined`
        let two = at.checked_sub(2).map(|at| &expression[tokens[at].range.clone()]);
        if before.kind == Kind::Ident && word == "not" && two == Some("is") {
            return false;
        }
    }
    let symbol = |offset: usize| tokens.get(at + offset).map(|token| token.kind);
    let called = symbol(1) == Some(Kind::Symbol(b'('));
    let argument = symbol(1) == Some(Kind::Symbol(b'=')) && symbol(2) != Some(Kind::Symbol(b'='));
    !called && !argument
}

/// The constant path from a token on, and the token after it.
fn path(expression: &str, tokens: &[Token], mut at: usize) -> (Vec<PathPart>, usize) {
    let mut parts = Vec::new();
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    let text = |at: usize| {
        tokens
            .get(at)
            .map_or("", |token| &expression[token.range.clone()])
    };
    loop {
        match (kind(at), kind(at + 1), kind(at + 2)) {
            (Some(Kind::Symbol(b'.')), Some(Kind::Ident), after) => {
                if after == Some(Kind::Symbol(b'(')) {
                    return (parts, at);
                }
                parts.push(PathPart::Name(text(at + 1).to_owned()));
                at += 2;
            }
            (Some(Kind::Symbol(b'.')), Some(Kind::Number), _)
                if text(at + 1).bytes().all(|b| b.is_ascii_digit()) =>
            {
                let Ok(index) = text(at + 1).parse() else {
                    return (parts, at);
                };
                parts.push(PathPart::Index(index));
                at += 2;
            }
            (Some(Kind::Symbol(b'[')), Some(Kind::Text), Some(Kind::Symbol(b']'))) => {
                let quoted = text(at + 1);
                let inner = &quoted[1..quoted.len() - 1];
                if inner.contains('\\') {
                    return (parts, at);
                }
                parts.push(PathPart::Name(inner.to_owned()));
                at += 3;
            }
            (Some(Kind::Symbol(b'[')), Some(Kind::Number), Some(Kind::Symbol(b']'))) => {
                let Ok(index) = text(at + 1).parse() else {
                    return (parts, at);
                };
                parts.push(PathPart::Index(index));
                at += 3;
            }
            _ => return (parts, at),
        }
    }
}

fn tokenize(expression: &str) -> Vec<Token> {
    let bytes = expression.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let run = |from: usize, test: fn(u8) -> bool| {
            bytes[from..]
                .iter()
                .position(|byte| !test(*byte))
                .map_or(bytes.len(), |length| from + length)
        };
        let kind = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'"' | b'\'' => {
                at = text_end(bytes, at);
                // An open text is a syntax error, which the compiler reports.
                if bytes.get(at - 1) != Some(&byte) || at - start < 2 {
                    return tokens;
                }
                Kind::Text
            }
            b'0'..=b'9' => {
                at = run(at, |b| b.is_ascii_alphanumeric() || b == b'_');
                // `1.5` is a number, `x.0.1` a path.
                let after_dot = matches!(
                    tokens.last(),
                    Some(Token {
                        kind: Kind::Symbol(b'.'),
                        ..
                    })
                );
                if !after_dot
                    && bytes.get(at) == Some(&b'.')
                    && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
                {
                    at = run(at + 1, |b| b.is_ascii_alphanumeric() || b == b'_');
                }
                Kind::Number
            }
            _ if byte == b'_' || byte.is_ascii_alphabetic() || byte >= 0x80 => {
                at = run(at, |b| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80);
                Kind::Ident
            }
            _ => {
                at += 1;
                Kind::Symbol(byte)
            }
        };
        tokens.push(Token {
            kind,
            range: start..at,
        });
    }
    tokens
}

fn text_end(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}
