//! The operator `retrieve`: a check of embedding and index by asking them.
//!
//! `queries` chooses what is asked, `exact` and `collection` answer, `rerank` orders, `run` measures and writes it down.

mod collection;
mod exact;
mod queries;
mod rerank;
mod run;

#[cfg(test)]
mod tests;

pub use run::RetrieveOperator;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Its text.
    pub text: String,
    /// The document that it was taken from, where it was.
    pub expected: Option<String>,
}

/// A chunk that answers a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its document.
    pub document: String,
    /// Its number in the document.
    pub chunk: i32,
    /// Cosine, or the reranker's score.
    pub score: f32,
    /// The document's title.
    pub title: Option<String>,
    /// The document's link.
    pub link: Option<String>,
    /// Its text.
    pub text: String,
}
