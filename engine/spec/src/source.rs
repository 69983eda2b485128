//! A file's text, and positions in it.

use std::{fmt, io::Read, sync::Arc};

use crate::{
    diagnostic::{Diagnostic, Diagnostics, codes},
    yaml::Span,
};

/// A YAML file: a name to show and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// How messages call it, as a rule the path as the user gave it.
    pub name: String,
    /// The text.
    pub text: String,
}

impl SourceFile {
    /// The largest file that is read, in bytes. A longer text is refused before it is parsed.
    pub const MAX_BYTES: usize = 1024 * 1024;

    /// A file of that name and text.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// Reads at most [`Self::MAX_BYTES`] from a reader, so that a huge file costs no memory.
    ///
    /// # Errors
    /// `spec.unreadable` where reading fails, `spec.file_too_large`, `spec.not_utf8` with the place of the first bad
    /// byte.
    pub fn read(name: impl Into<String>, reader: impl Read) -> Result<Self, Diagnostics> {
        let name = name.into();
        let mut bytes = Vec::new();
        let fail = |code, message, hint: &str, text: &str, at: usize| {
            let source = Source::new(&name, text);
            Err(Diagnostics(vec![
                Diagnostic::new(&source, Span::new(at, at), code, message).with_hint(hint),
            ]))
        };
        if let Err(error) = reader.take(Self::MAX_BYTES as u64 + 1).read_to_end(&mut bytes) {
            let hint = "Check that the file exists and may be read.";
            return fail(
                codes::UNREADABLE,
                format!("the file cannot be read: {error}"),
                hint,
                "",
                0,
            );
        }
        if bytes.len() > Self::MAX_BYTES {
            return Err(Diagnostics(vec![too_large(&Source::new(&name, ""), None)]));
        }
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let hint = "Save the file as UTF-8.";
                fail(
                    codes::NOT_UTF8,
                    "the file is not UTF-8 text".to_owned(),
                    hint,
                    &text,
                    at,
                )
            }
        }
    }
}

pub(crate) fn too_large(source: &Source, bytes: Option<usize>) -> Diagnostic {
    let size = bytes.map_or_else(|| "more than 1 MiB".to_owned(), |bytes| format!("{bytes} bytes"));
    Diagnostic::new(
        source,
        Span::default(),
        codes::FILE_TOO_LARGE,
        format!("the file holds {size}; at most 1 MiB is read"),
    )
    .with_hint("Keep data out of the YAML: put it into a file that an operator reads.")
}

/// Shared text with a table of its lines.
#[derive(Clone)]
pub struct Source(Arc<Inner>);

struct Inner {
    name: String,
    text: Arc<str>,
    /// Byte offset of the start of each line.
    lines: Vec<usize>,
    /// The size of a text that is too large to be taken in; `text` is empty then.
    oversize: Option<usize>,
}

impl Source {
    /// Takes a text in, unless it is too large to be read: then only its size.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let oversize = (text.len() > SourceFile::MAX_BYTES).then_some(text.len());
        let text = if oversize.is_some() { "" } else { text };
        let starts = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self(Arc::new(Inner {
            name: name.to_owned(),
            text: text.into(),
            lines,
            oversize,
        }))
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The file's text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    pub(crate) fn oversize(&self) -> Option<usize> {
        self.0.oversize
    }

    pub(crate) fn shared_text(&self) -> Arc<str> {
        self.0.text.clone()
    }

    /// Line and column, both from 1, the column in characters.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = floor_boundary(self.text(), offset);
        let line = self
            .0
            .lines
            .partition_point(|start| *start <= offset)
            .saturating_sub(1);
        let start = self.0.lines.get(line).copied().unwrap_or(0);
        let column = self
            .text()
            .get(start..offset)
            .map_or(0, |text| text.chars().count());
        (line + 1, column + 1)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.0.name).finish()
    }
}

/// The nearest character boundary at or before the offset, inside the text.
pub(crate) fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
