//! Finds expressions in text.

use std::{borrow::Cow, ops::Range};

use super::ExprError;

/// A part of a text with templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment<'a> {
    /// Literal text, escapes resolved.
    Text(Cow<'a, str>),
    /// An expression without braces and outer spaces.
    Expression {
        /// The expression.
        source: &'a str,
        /// Its bytes in the text.
        range: Range<usize>,
    },
}

/// Splits a text into literals and expressions.
pub(crate) fn segments(text: &str) -> Result<Vec<Segment<'_>>, ExprError> {
    let mut out = Vec::new();
    let mut rest = 0;
    while let Some(found) = text[rest..].find("${{") {
        let start = rest + found;
        if start > rest && text[rest..start].ends_with('$') {
            out.push(Segment::Text(Cow::Owned(format!(
                "{}${{{{",
                &text[rest..start - 1]
            ))));
            rest = start + 3;
            continue;
        }
        if start > rest {
            out.push(Segment::Text(Cow::Borrowed(&text[rest..start])));
        }
        let inner = start + 3;
        let end = inner + expression_end(&text[inner..]).ok_or(ExprError::Unterminated)?;
        let source = text[inner..end].trim();
        if source.is_empty() {
            return Err(ExprError::Empty);
        }
        let offset = inner + text[inner..end].len() - text[inner..end].trim_start().len();
        out.push(Segment::Expression {
            source,
            range: offset..offset + source.len(),
        });
        rest = end + 2;
    }
    if rest < text.len() {
        out.push(Segment::Text(Cow::Borrowed(&text[rest..])));
    }
    Ok(out)
}

/// The expression, where it is the whole text (spaces aside).
pub(crate) fn whole(text: &str) -> Result<Option<&str>, ExprError> {
    let trimmed = text.trim();
    if !trimmed.starts_with("${{") {
        return Ok(None);
    }
    let inner = &trimmed[3..];
    let end = expression_end(inner).ok_or(ExprError::Unterminated)?;
    if end + 2 != inner.len() {
        return Ok(None);
    }
    match inner[..end].trim() {
        "" => Err(ExprError::Empty),
        source => Ok(Some(source)),
    }
}

/// Literal text as it is written in a template.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if text.contains("${{") {
        Cow::Owned(text.replace("${{", "$${{"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Where the `}}` is that ends the expression: not inside quotes, not inside braces of its own.
fn expression_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut quote) = (0, 0_usize, None);
    while let Some(&byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(_), b'\\') => at += 1,
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (None, _) => {}
        }
        at += 1;
    }
    None
}
