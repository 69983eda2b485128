//! What a file is, by its path, and which paths are read.

use glob::{MatchOptions, Pattern};
use twinloom_sdk::OperatorError;

use super::Category;
use crate::text::language;

/// Folders and files that people do not write.
const GENERATED: [&str; 16] = [
    "**/node_modules/**",
    "**/target/**",
    "**/dist/**",
    "**/vendor/**",
    "**/__pycache__/**",
    "**/.git/**",
    "**/*.min.js",
    "**/*.min.css",
    "**/*.lock",
    "**/package-lock.json",
    "**/pnpm-lock.yaml",
    "**/*.json",
    "**/*.ipynb",
    "**/*.xml",
    "**/*.snap",
    "**/*.map",
];

/// Documents without an extension.
const DOCUMENT_NAMES: [&str; 4] = ["README", "CHANGELOG", "CONTRIBUTING", "HACKING"];

/// What a file is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A document of this category and format.
    Document(Category, &'static str),
    /// JSON lines, a document each.
    JsonLines,
}

/// By its name; `None` for what is neither prose nor code.
#[must_use]
pub fn kind_of(path: &str) -> Option<FileKind> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    let article = |format| Some(FileKind::Document(Category::Article, format));
    match extension.as_deref() {
        // `CMakeLists.txt` is code by its name.
        Some("md" | "markdown" | "mdx") => article("markdown"),
        Some("html" | "htm" | "xhtml") => article("html"),
        Some("rst" | "adoc" | "asciidoc" | "org") => article("text"),
        Some("txt" | "text") if language::of_file(path).is_none() => article("text"),
        Some("jsonl" | "ndjson") => Some(FileKind::JsonLines),
        None if DOCUMENT_NAMES.contains(&name) => article("text"),
        _ => language::of_file(path).map(|_| FileKind::Document(Category::Code, "code")),
    }
}

/// Which paths are read.
#[derive(Debug, Clone)]
pub struct Paths {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    generated: Vec<Pattern>,
}

impl Paths {
    /// From patterns; without `include`, all but what is generated.
    ///
    /// # Errors
    /// `scrape.pattern`, naming the pattern.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, OperatorError> {
        let compile = |patterns: &[String]| {
            patterns
                .iter()
                .map(|pattern| compile(pattern))
                .collect::<Result<Vec<_>, _>>()
        };
        let generated = GENERATED
            .iter()
            .map(|pattern| compile_one(pattern))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            include: compile(include)?,
            exclude: compile(exclude)?,
            generated,
        })
    }

    /// Whether a path, relative and with `/`, is read.
    #[must_use]
    pub fn allows(&self, path: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches_with(path, OPTIONS));
        if any(&self.exclude) {
            return false;
        }
        if self.include.is_empty() {
            !any(&self.generated)
        } else {
            any(&self.include)
        }
    }
}

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

fn compile(pattern: &str) -> Result<Pattern, OperatorError> {
    // A folder stands for what is in it.
    let whole = if pattern.ends_with('/') {
        format!("{pattern}**")
    } else {
        pattern.to_owned()
    };
    compile_one(&whole)
}

fn compile_one(pattern: &str) -> Result<Pattern, OperatorError> {
    Pattern::new(pattern).map_err(|error| {
        OperatorError::config(
            "scrape.pattern",
            format!("`{pattern}` is no pattern of paths: {error}"),
            "Write `*` for any part of a name and `**/` for any folders.",
        )
    })
}
