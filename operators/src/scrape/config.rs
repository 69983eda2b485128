//! What `with:` of `scrape` holds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where documents are.
    pub sources: Vec<Source>,
    /// The author of documents that do not name one.
    #[serde(default)]
    pub author: Option<String>,
    /// Whether a source without documents is fine. It is an error otherwise, because it mostly means a wrong path.
    #[serde(default)]
    pub allow_empty: bool,
    /// Bounds on size and time.
    #[serde(default)]
    pub limits: Limits,
}

/// Bounds on size and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The most bytes a document may have.
    pub document_bytes: u64,
    /// What becomes of a larger one.
    pub oversize: Oversize,
    /// The most bytes of an answer to an HTTP request, after decompression.
    pub response_bytes: u64,
    /// Seconds an HTTP request may take, body included.
    pub request_seconds: u64,
    /// Seconds a git command may take.
    pub git_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 16 << 20,
            oversize: Oversize::Error,
            response_bytes: 32 << 20,
            request_seconds: 60,
            git_seconds: 600,
        }
    }
}

/// What becomes of a document that is too large.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Oversize {
    /// The task fails, naming it.
    #[default]
    Error,
    /// It is left out, with a line in the log.
    Skip,
}

/// A place to read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A git repository: documents, code and commit messages.
    Git(Git),
    /// A folder of Markdown, HTML, text, code and JSON lines.
    Folder(Folder),
    /// Files of JSON lines, one document a line.
    Jsonl(Jsonl),
    /// An RSS, Atom or JSON feed.
    Feed(Feed),
    /// A web page.
    Page(Page),
}

/// What a document is; cleaning and chunking differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Long prose.
    Article,
    /// Short prose: a post, a commit message.
    Post,
    /// A source file.
    Code,
}

impl Category {
    /// As the column holds it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Post => "post",
            Self::Code => "code",
        }
    }
}

/// A git repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Git {
    /// A path, or an `https://` address. Of a folder within a local repository that folder alone is read.
    pub url: String,
    /// A branch, tag or commit; the current one where it is left out.
    #[serde(default)]
    pub revision: Option<String>,
    /// Of a local repository without `revision`: read tracked files as they are on disk, not as committed.
    #[serde(default = "yes")]
    pub worktree: bool,
    /// Only paths that match one of these, `docs/**/*.md`.
    #[serde(default)]
    pub include: Vec<String>,
    /// No paths that match one of these.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Read documents (Markdown, text, HTML) as articles.
    #[serde(default = "yes")]
    pub documents: bool,
    /// Read source files as code.
    #[serde(default = "yes")]
    pub code: bool,
    /// Read commit messages as posts.
    #[serde(default = "yes")]
    pub commits: bool,
    /// The most commits to read, the latest first; also how deep a remote repository is fetched.
    #[serde(default = "thousand")]
    pub max_commits: u32,
    /// Keep commit messages that lie further back and were read before; they stay in the dataset.
    #[serde(default = "yes")]
    pub keep: bool,
    /// Leave out commits by bots.
    #[serde(default = "yes")]
    pub skip_bots: bool,
    /// Take trailers (`Signed-off-by:` and the like) off commit messages.
    #[serde(default = "yes")]
    pub strip_trailers: bool,
    /// The author of its files, where it is not that of the step.
    #[serde(default)]
    pub author: Option<String>,
    /// What signs in to a private repository over https, as `secret:NAME`: an access token that may read it, or the
    /// password of the user whom the address names.
    #[serde(default)]
    pub token: Option<String>,
    /// Allow an address of this machine or a private network.
    #[serde(default)]
    pub allow_private: bool,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// The folder, or one file.
    pub path: String,
    /// Only paths that match one of these, relative to the folder.
    #[serde(default)]
    pub include: Vec<String>,
    /// No paths that match one of these.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// What its files are, where their names do not say it right.
    #[serde(default)]
    pub category: Option<Category>,
    /// Their author, where it is not that of the step.
    #[serde(default)]
    pub author: Option<String>,
}

/// Files of JSON lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jsonl {
    /// A file, or a pattern such as `exports/*.jsonl`.
    pub path: String,
    /// What the documents are.
    pub category: Category,
    /// The author of rows that do not name one, where it is not that of the step.
    #[serde(default)]
    pub author: Option<String>,
}

/// A feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Its address, or the path of a file.
    pub url: String,
    /// What its entries are.
    #[serde(default = "article")]
    pub category: Category,
    /// The author of entries that do not name one, where it is not that of the step.
    #[serde(default)]
    pub author: Option<String>,
    /// Keep entries that the feed no longer has: most show only their newest ones.
    #[serde(default = "yes")]
    pub keep: bool,
    /// Headers of the request, such as `Authorization`; a value may be `secret:NAME`, and what signs in has to be.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Allow an address of this machine or a private network.
    #[serde(default)]
    pub allow_private: bool,
}

/// A web page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Its address, or the path of a file.
    pub url: String,
    /// Its author, where it is not that of the step.
    #[serde(default)]
    pub author: Option<String>,
    /// Ask the site's `robots.txt` first, and obey it.
    #[serde(default = "yes")]
    pub robots: bool,
    /// Headers of the request, such as `Authorization`; a value may be `secret:NAME`, and what signs in has to be.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Allow an address of this machine or a private network.
    #[serde(default)]
    pub allow_private: bool,
}

fn yes() -> bool {
    true
}

fn thousand() -> u32 {
    1000
}

fn article() -> Category {
    Category::Article
}
