//! What reading a source has at hand, and what it counts.

use std::{collections::BTreeMap, path::Path};

use encoding_rs::Encoding;
use serde_json::{Map, Value};
use twinloom_sdk::{Context, OperatorError};

use super::{
    Config, Limits, Oversize,
    classify::FileKind,
    document::{Document, html_title, id, markdown_title},
    http::Http,
    keep::Keep,
    sink::Sink,
};
use crate::text::decode::{declared, decode, is_binary};

/// Extensions that are counted one by one.
const MOST_KINDS: usize = 100;
/// Files without an extension that are counted by their names.
pub const LICENCES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];
/// The name of all further ones.
const OTHERS: &str = "others";

/// A run of the operator.
pub struct Job<'a> {
    /// The attempt's environment.
    pub context: &'a Context,
    /// The step's configuration.
    pub config: &'a Config,
    /// Where documents go.
    pub sink: Sink<'a>,
    /// The network.
    pub http: Http,
    /// What was left out.
    pub counts: Counts,
    /// What to take over from the last version once all sources were read.
    pub keep: Vec<Keep>,
}

/// What was left out or changed, over all sources.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Binaries and files of other kinds that pose as text.
    pub binary: u64,
    /// Larger than a document may be.
    pub oversize: u64,
    /// Characters that were not valid.
    pub invalid: u64,
    /// Texts that are not UTF-8 and declare nothing, read as windows-1252.
    pub guessed: u64,
    /// Documents without text.
    pub blank: u64,
    /// Files whose names say neither prose nor code, by extension.
    pub unknown: BTreeMap<String, u64>,
}

/// A file, to become a document.
pub struct File<'a> {
    /// What identifies its source: kind and root.
    pub source: [&'a str; 2],
    /// Relative to the root, with `/`.
    pub path: &'a str,
    /// `git`, `file`.
    pub platform: &'a str,
    /// Where a reader finds it.
    pub link: Option<String>,
    /// Who wrote it.
    pub author: Option<&'a str>,
    /// What it is.
    pub kind: FileKind,
}

impl Job<'_> {
    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// Whether a document of that size is read.
    ///
    /// # Errors
    /// `scrape.document_too_large`, naming it, unless large ones are to be skipped.
    pub fn fits(&mut self, name: &str, bytes: u64) -> Result<bool, OperatorError> {
        let limit = self.limits().document_bytes;
        if bytes <= limit {
            return Ok(true);
        }
        if self.limits().oversize == Oversize::Skip {
            self.counts.oversize += 1;
            self.context
                .warn(format!("left out `{name}`: {bytes} bytes, the limit is {limit}"));
            return Ok(false);
        }
        Err(OperatorError::data(
            "scrape.document_too_large",
            format!("`{name}` has {bytes} bytes or more; a document may have {limit}"),
            "Exclude it, set `limits: {oversize: skip}`, or raise `limits.document_bytes`.",
        ))
    }

    /// Counts a file of a kind that is not read.
    pub fn unknown(&mut self, path: &str) {
        let extension = extension(path);
        let known = self.counts.unknown.len() < MOST_KINDS || self.counts.unknown.contains_key(&extension);
        let kind = if known { extension } else { OTHERS.to_owned() };
        *self.counts.unknown.entry(kind).or_default() += 1;
    }

    /// Takes a file found in a walk: a binary is left out, and text is decoded.
    pub async fn file(&mut self, file: File<'_>, bytes: Vec<u8>) -> Result<(), OperatorError> {
        if is_binary(&bytes) {
            self.counts.binary += 1;
            self.context
                .warn(format!("left out `{}`: it is binary", file.path));
            return Ok(());
        }
        let FileKind::Document(category, format) = file.kind else {
            return Ok(());
        };
        let charset = if format == "html" { declared(&bytes) } else { None };
        let text = self.text(file.path, bytes, charset);
        let title = match format {
            "markdown" => markdown_title(&text),
            "html" => html_title(&text),
            _ => None,
        };
        let mut metadata = Map::new();
        metadata.insert("path".to_owned(), Value::from(file.path));
        if file.source[0] == "git" {
            metadata.insert("repository".to_owned(), Value::from(file.source[1]));
        }
        self.push(Document {
            id: id(&[file.source[0], file.source[1], file.path]),
            category,
            platform: file.platform.to_owned(),
            author: file.author.map(str::to_owned),
            link: file.link,
            title: title.or_else(|| Some(file.path.to_owned())),
            format,
            text,
            published_at: None,
            updated_at: None,
            metadata,
        })
        .await
    }

    /// Takes a document, unless it is blank.
    pub async fn push(&mut self, document: Document) -> Result<(), OperatorError> {
        if document.text.trim().is_empty() {
            self.counts.blank += 1;
            return Ok(());
        }
        self.sink.push(document).await
    }

    /// Decodes a document's bytes; what is not valid, or has to be guessed, is counted and logged.
    pub fn text(&mut self, name: &str, bytes: Vec<u8>, charset: Option<&'static Encoding>) -> String {
        let decoded = decode(bytes, charset);
        if decoded.guessed {
            self.counts.guessed += 1;
            self.context
                .info(format!("`{name}` is not UTF-8: read as windows-1252"));
        }
        if decoded.invalid > 0 {
            self.counts.invalid += decoded.invalid as u64;
            self.context.warn(format!(
                "`{name}` is not valid text: {} characters stand as U+FFFD",
                decoded.invalid
            ));
        }
        // A NUL further on than the probe for binaries reaches: no model wants it.
        if decoded.text.contains('\0') {
            decoded.text.replace('\0', "\u{FFFD}")
        } else {
            decoded.text
        }
    }

    /// Reads a file of bounded size that the configuration names; `None` where it is too large and to be skipped.
    ///
    /// # Errors
    /// `scrape.file_missing`, `scrape.file_unreadable`, `scrape.document_too_large`.
    pub async fn read(&mut self, path: &Path) -> Result<Option<Vec<u8>>, OperatorError> {
        let name = path.display().to_string();
        let size = tokio::fs::metadata(path)
            .await
            .map_err(|error| unreadable(path, &error))?
            .len();
        if !self.fits(&name, size)? {
            return Ok(None);
        }
        tokio::fs::read(path)
            .await
            .map(Some)
            .map_err(|error| unreadable(path, &error))
    }
}

/// A file's extension in small letters with its point, or a licence's name; `no extension` where it has none, or none
/// that is one.
fn extension(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((before, after))
            if !before.is_empty()
                && (1..=12).contains(&after.len())
                && after.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            format!(".{}", after.to_ascii_lowercase())
        }
        None if LICENCES.contains(&name) => name.to_owned(),
        _ => "no extension".to_owned(),
    }
}

/// The error for a path that cannot be read.
pub fn unreadable(path: &Path, error: &std::io::Error) -> OperatorError {
    let name = path.display();
    if error.kind() == std::io::ErrorKind::NotFound {
        return OperatorError::config(
            "scrape.file_missing",
            format!("there is no `{name}`"),
            "Check the path in the source; relative paths start at the folder that twinloom runs in.",
        );
    }
    OperatorError::data(
        "scrape.file_unreadable",
        format!("`{name}` cannot be read: {error}"),
        "Give the user that runs twinloom the right to read it, or exclude it.",
    )
}
