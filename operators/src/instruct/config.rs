//! What `with:` of `instruct` holds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinloom_sdk::OperatorError;

use super::templates::{Kind, PLACEHOLDERS, placeholders};
use crate::split::{EVAL_SHARE, MIN_HELD_OUT};

/// A category of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Long texts with headings.
    Article,
    /// Short texts: posts, commit messages.
    Post,
    /// Files of code.
    Code,
}

impl Category {
    /// The word in the column `category`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Article => "article",
            Self::Post => "post",
            Self::Code => "code",
        }
    }
}

/// Documents that say nearly the same: reposts, other editions, forwarded texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NearDuplicates {
    /// Whether they are left out; the first published is kept, else the longest.
    pub remove: bool,
    /// Share of runs of five words that two documents have in common to count as one (estimated by MinHash).
    #[schemars(range(min = 0.3, max = 1.0))]
    pub threshold: f64,
}

impl Default for NearDuplicates {
    fn default() -> Self {
        Self {
            remove: true,
            threshold: 0.8,
        }
    }
}

/// How training and held-out documents are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// By a hash of the title, or of the first words where there is none.
    Document,
    /// The newest are held out: how well does it write what comes next? Those without a date are trained on.
    Time,
}

/// What is held out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitConfig {
    /// `document` or `time`.
    pub by: SplitBy,
    /// Share of documents that are held out.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
    /// Documents that are held out at the least where there are twice as many, however small `share` of them is; as
    /// many as the gate of `evaluate` needs. A share of 0 holds nothing out.
    #[schemars(range(max = 1000))]
    pub at_least: usize,
}

impl Default for SplitConfig {
    fn default() -> Self {
        Self {
            by: SplitBy::Document,
            share: EVAL_SHARE,
            at_least: MIN_HELD_OUT,
        }
    }
}

/// Held-out text that the author also wrote elsewhere: quotes of oneself, a post that became part of a newsletter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Decontaminate {
    /// Whether training pairs that hold held-out text are left out.
    pub remove: bool,
    /// Words in a row that count as the same text.
    #[schemars(range(min = 3, max = 100))]
    pub ngram: usize,
    /// Share of the n-grams of one held-out answer from which on a training pair holds it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub overlap: f64,
}

impl Default for Decontaminate {
    fn default() -> Self {
        Self {
            remove: true,
            ngram: 13,
            overlap: 0.1,
        }
    }
}

/// Which pairs of instruction and answer are made of the author's documents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Categories that are used.
    pub categories: Vec<Category>,
    /// The most characters of an answer; longer texts are cut at a paragraph, line, sentence or word.
    #[schemars(range(min = 32, max = 100_000))]
    pub max_answer_chars: usize,
    /// Answers of fewer characters are left out.
    #[schemars(range(max = 10_000))]
    pub min_answer_chars: usize,
    /// The most pairs of one document; of more, some are taken at even distances.
    #[schemars(range(min = 1, max = 10_000))]
    pub per_document: usize,
    /// Near-duplicates, which are removed before the split.
    pub near_duplicates: NearDuplicates,
    /// What is held out for evaluation; documents with the same title stay together.
    pub split: SplitConfig,
    /// Training pairs that hold held-out text, which are left out after the split.
    pub decontaminate: Decontaminate,
    /// Instructions in place of the built-in ones, by kind (`section`, `opening`, `continue`, `post`, `commit`, `file`,
    /// `complete`); a list to choose from. Placeholders: `{title}`, `{section}`, `{keywords}`, `{passage}`, `{language}`,
    /// `{names}`, `{author}`.
    pub templates: BTreeMap<Kind, Vec<String>>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            categories: vec![Category::Article, Category::Post, Category::Code],
            max_answer_chars: 1200,
            min_answer_chars: 40,
            per_document: 8,
            near_duplicates: NearDuplicates::default(),
            split: SplitConfig::default(),
            decontaminate: Decontaminate::default(),
            templates: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Checks the bounds that the schema states, and the placeholders of templates.
    ///
    /// # Errors
    /// `instruct.config`, `instruct.template`.
    pub fn check(&self) -> Result<(), OperatorError> {
        let bounds: [(&str, bool, &str); 9] = [
            (
                "categories",
                !self.categories.is_empty(),
                "at least one of article, post and code",
            ),
            (
                "max_answer_chars",
                (32..=100_000).contains(&self.max_answer_chars),
                "32 to 100000",
            ),
            (
                "min_answer_chars",
                self.min_answer_chars <= self.max_answer_chars.min(10_000),
                "0 to 10000, not above `max_answer_chars`",
            ),
            (
                "per_document",
                (1..=10_000).contains(&self.per_document),
                "1 to 10000",
            ),
            ("split.share", (0.0..=1.0).contains(&self.split.share), "0 to 1"),
            ("split.at_least", self.split.at_least <= 1000, "0 to 1000"),
            (
                "near_duplicates.threshold",
                (0.3..=1.0).contains(&self.near_duplicates.threshold),
                "0.3 to 1",
            ),
            (
                "decontaminate.ngram",
                (3..=100).contains(&self.decontaminate.ngram),
                "3 to 100",
            ),
            (
                "decontaminate.overlap",
                (0.0..=1.0).contains(&self.decontaminate.overlap),
                "0 to 1",
            ),
        ];
        if let Some((key, _, bounds)) = bounds.into_iter().find(|(_, holds, _)| !holds) {
            let message = format!("`{key}` is out of its bounds");
            return Err(OperatorError::config(
                "instruct.config",
                message,
                format!("Set `{key}` to {bounds}."),
            ));
        }
        for (kind, list) in &self.templates {
            let unknown = |name: &&str| !PLACEHOLDERS.contains(name);
            let wrong = match list
                .iter()
                .flat_map(|template| placeholders(template))
                .find(unknown)
            {
                Some(name) => format!("a template of `{kind}` names `{{{name}}}`, which there is not"),
                None if list.is_empty() => format!("`{kind}` has no template"),
                None => continue,
            };
            let hint = format!("Use some of {{{}}}.", PLACEHOLDERS.join("}, {"));
            return Err(OperatorError::config("instruct.template", wrong, hint));
        }
        Ok(())
    }
}
