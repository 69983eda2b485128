//! Cleaning one document, by its category and format.

use std::borrow::Cow;

use super::{Config, article, html, medium, post};
use crate::text::{decode::unix_lines, language};

/// A document as it was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Raw<'a> {
    /// `article`, `post` or `code`.
    pub category: &'a str,
    /// `markdown`, `html`, `text` or `code`.
    pub format: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Its title, where known.
    pub title: Option<&'a str>,
    /// Its author, where known.
    pub author: Option<&'a str>,
    /// Where it comes from.
    pub link: Option<&'a str>,
    /// Its file's path, where it has one.
    pub path: Option<&'a str>,
}

/// A cleaned document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned<'a> {
    /// Its text; empty where nothing was the author's.
    pub text: Cow<'a, str>,
    /// ISO 639-3 for prose, the programming language for code.
    pub language: Option<&'static str>,
    /// Milliseconds since 1970 UTC, where the page's byline said it.
    pub published_at: Option<i64>,
}

/// Cleans a document.
#[must_use]
pub fn clean<'a>(raw: &Raw<'a>, config: &Config) -> Cleaned<'a> {
    match raw.category {
        "code" => {
            let language = raw.path.or(raw.link).and_then(language::of_file);
            Cleaned {
                text: unix_lines(raw.text),
                language,
                published_at: None,
            }
        }
        "post" => {
            let text = if raw.format == "html" {
                Cow::Owned(html::to_markdown(raw.text, raw.link))
            } else {
                unix_lines(raw.text)
            };
            prose(post::clean(text, config.plain_letters), None, config)
        }
        _ => clean_article(raw, config),
    }
}

fn clean_article<'a>(raw: &Raw<'a>, config: &Config) -> Cleaned<'a> {
    let text = match raw.format {
        "html" => Cow::Owned(html::to_markdown(raw.text, raw.link)),
        _ => unix_lines(raw.text),
    };
    if config.chrome
        && let Some(body) = medium::body(&text, raw.title, raw.author)
    {
        return prose(
            article::clean(&body, raw.author, config).text.into_owned().into(),
            None,
            config,
        );
    }
    match text {
        Cow::Borrowed(text) => {
            let cleaned = article::clean(text, raw.author, config);
            prose(cleaned.text, cleaned.published_at, config)
        }
        Cow::Owned(text) => {
            let cleaned = article::clean(&text, raw.author, config);
            let published_at = cleaned.published_at;
            prose(Cow::Owned(cleaned.text.into_owned()), published_at, config)
        }
    }
}

fn prose<'a>(text: Cow<'a, str>, published_at: Option<i64>, config: &Config) -> Cleaned<'a> {
    let language = if config.language {
        language::of_prose(&text)
    } else {
        None
    };
    Cleaned {
        text,
        language,
        published_at,
    }
}
