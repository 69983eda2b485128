//! Errors with a place: code, message, hint, file, line and column.

pub mod codes;
mod render;

use std::{fmt, ops::Range, sync::Arc};

use serde::Serialize;

use crate::{source::Source, yaml::Span};

/// Something wrong in a file, with its place.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnostic {
    /// Stable code of [`codes`].
    pub code: &'static str,
    /// What is wrong and what was expected, one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The file's name.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// Other places of the same file that explain it.
    pub labels: Vec<Label>,
    #[serde(skip)]
    source: Arc<str>,
}

/// A second place that explains a [`Diagnostic`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// What is there.
    pub text: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Bytes of the text.
    pub span: Range<usize>,
}

impl Diagnostic {
    pub(crate) fn new(source: &Source, span: Span, code: &'static str, message: impl Into<String>) -> Self {
        let (line, column) = source.position(span.start);
        Self {
            code,
            message: message.into(),
            hint: None,
            file: source.name().to_owned(),
            line,
            column,
            span: span.range(),
            labels: Vec::new(),
            source: source.shared_text(),
        }
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with_optional_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    pub(crate) fn with_label(mut self, source: &Source, span: Span, text: impl Into<String>) -> Self {
        let (line, column) = source.position(span.start);
        self.labels.push(Label {
            text: text.into(),
            line,
            column,
            span: span.range(),
        });
        self
    }
}

/// `file:line:column: error[code]: message`, with the hint on a second line.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: error[{}]: {}",
            self.file, self.line, self.column, self.code, self.message
        )?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

/// All that is wrong with a file and what it uses, in the order of the text.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
impl std::error::Error for Diagnostic {}

/// Collects diagnostics while checking goes on.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: Vec<Diagnostic>,
    dropped: usize,
}

impl Report {
    /// Enough to work on; a file with more is wrong in kind, and memory stays bounded.
    const MOST: usize = 200;

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < Self::MOST {
            self.found.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    pub(crate) fn error(
        &mut self,
        source: &Source,
        span: Span,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        // The last one may be overwritten by a caller's hint once the report is full; it is cut away by `finish`.
        if self.found.len() >= Self::MOST {
            self.dropped += 1;
            self.found.truncate(Self::MOST);
        }
        self.found.push(Diagnostic::new(source, span, code, message));
        let last = self.found.len() - 1;
        &mut self.found[last]
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len() + self.dropped
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Sorted by place, without doubles; `Ok` where nothing was found.
    pub(crate) fn finish(mut self) -> Result<(), Diagnostics> {
        self.found.truncate(Self::MOST);
        let main = self
            .found
            .first()
            .map(|first| first.file.clone())
            .unwrap_or_default();
        self.found.sort_by(|a, b| {
            let key = |d: &Diagnostic| (d.file != main, d.file.clone(), d.line, d.column);
            key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
        });
        self.found.dedup_by(|a, b| {
            a.code == b.code && a.span == b.span && a.message == b.message && a.file == b.file
        });
        if self.found.is_empty() {
            return Ok(());
        }
        if self.dropped > 0
            && let Some(last) = self.found.last_mut()
        {
            let more = format!("{} more errors are not shown.", self.dropped);
            last.hint = Some(
                last.hint
                    .take()
                    .map_or_else(|| more.clone(), |hint| format!("{hint} {more}")),
            );
        }
        Err(Diagnostics(self.found))
    }
}
