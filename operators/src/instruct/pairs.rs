//! The pairs of one document. Every answer is a range of the document's own text.

use std::{ops::Range, sync::LazyLock};

use pulldown_cmark::{Event, Options, Parser, Tag};
use regex::Regex;

use super::{
    Config,
    cut::{head, keywords},
    templates::{Kind, Values, built_in, instruction},
};

/// Characters of a passage that is to be continued.
const PASSAGE_CHARS: usize = 300;

/// Keywords in an instruction.
const KEYWORDS: usize = 5;

/// Names of a file in an instruction.
const NAMES: usize = 6;

/// What is known of a document.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// Its key.
    pub id: &'a str,
    /// `article`, `post` or `code`.
    pub category: &'a str,
    /// Whether it is a commit message.
    pub commit: bool,
    /// Its title; of code, its path.
    pub title: Option<&'a str>,
    /// Who wrote it.
    pub author: Option<&'a str>,
    /// The programming language of code.
    pub language: Option<&'a str>,
    /// Its cleaned text.
    pub text: &'a str,
}

/// A pair: what is asked, and where in the document the answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What it asks for.
    pub kind: Kind,
    /// The instruction.
    pub instruction: String,
    /// The answer, as bytes of the document's text.
    pub answer: Range<usize>,
}

/// Something to ask, before it is put in words.
struct Draft<'a> {
    kind: Kind,
    section: &'a str,
    passage: &'a str,
    answer: Range<usize>,
}

/// The pairs of a document, in the order of its text, at most `per_document` of them. Depends on nothing but the
/// document and the configuration.
#[must_use]
pub fn pairs(document: &Document<'_>, config: &Config) -> Vec<Pair> {
    let drafts = match document.category {
        "article" => article(document, config),
        "post" => post(document, config),
        _ => code(document, config),
    };
    let text = document.text;
    let (words, names) = (keywords(text, KEYWORDS), names(text));
    let known = Values::default()
        .with("title", document.title.map_or("", |title| title.trim()))
        .with("author", document.author.unwrap_or(""))
        .with("language", document.language.unwrap_or(""))
        .with("keywords", &words)
        .with("names", &names);
    let long_enough = |draft: &Draft<'_>| {
        let answer = &text[draft.answer.clone()];
        !answer.trim().is_empty()
            && answer.chars().take(config.min_answer_chars).count() == config.min_answer_chars
    };
    let drafts: Vec<Draft<'_>> = drafts.into_iter().filter(long_enough).collect();
    let word = |(n, draft): (usize, Draft<'_>)| {
        let values = known
            .with("section", draft.section)
            .with("passage", draft.passage);
        let pick = pick(document.id, n);
        let own = config.templates.get(&draft.kind);
        let instruction = match own {
            Some(own) => instruction(own.iter().map(String::as_str), &values, pick),
            None => instruction(built_in(draft.kind).iter().copied(), &values, pick),
        };
        Some(Pair {
            kind: draft.kind,
            instruction: instruction?,
            answer: draft.answer,
        })
    };
    spread(drafts, config.per_document)
        .into_iter()
        .enumerate()
        .filter_map(word)
        .collect()
}

/// The first, and others at even distances, so that a long document is not known by its beginning alone.
fn spread<T>(all: Vec<T>, most: usize) -> Vec<T> {
    let count = all.len();
    if count <= most {
        return all;
    }
    let wanted: Vec<usize> = (0..most).map(|n| n * count / most).collect();
    all.into_iter()
        .enumerate()
        .filter(|(n, _)| wanted.binary_search(n).is_ok())
        .map(|(_, item)| item)
        .collect()
}

/// Opening, sections by their headings, and continuations.
fn article<'a>(document: &Document<'a>, config: &Config) -> Vec<Draft<'a>> {
    let text = document.text;
    let sections = sections(text);
    let body = sections
        .first()
        .filter(|s| text[..s.heading.start].trim().is_empty())
        .map_or(0, |s| s.body.start);
    let mut drafts = vec![draft(text, Kind::Opening, body..text.len(), config)];
    for section in &sections {
        let title = text[section.heading.clone()]
            .trim()
            .trim_matches(['#', '=', '-', ' ', '\n', '\r'])
            .trim();
        if document.title.is_none_or(|of| of.trim() != title) {
            drafts.push(Draft {
                section: title,
                ..draft(text, Kind::Section, section.body.clone(), config)
            });
        }
    }
    drafts.extend(continuations(text, Kind::Continue, config));
    drafts.sort_by_key(|draft| draft.answer.start);
    drafts
}

/// The whole post, and where it is long its continuation.
fn post<'a>(document: &Document<'a>, config: &Config) -> Vec<Draft<'a>> {
    let text = document.text;
    let kind = if document.commit { Kind::Commit } else { Kind::Post };
    let mut drafts = vec![draft(text, kind, 0..text.len(), config)];
    if !document.commit {
        drafts.extend(continuations(text, Kind::Continue, config));
    }
    drafts
}

/// The file from its start, and completions.
fn code<'a>(document: &Document<'a>, config: &Config) -> Vec<Draft<'a>> {
    let text = document.text;
    let mut drafts = vec![draft(text, Kind::File, 0..text.len(), config)];
    drafts.extend(continuations(text, Kind::Complete, config));
    drafts
}

fn draft<'a>(text: &'a str, kind: Kind, range: Range<usize>, config: &Config) -> Draft<'a> {
    Draft {
        kind,
        section: "",
        passage: "",
        answer: trimmed(text, range, config.max_answer_chars),
    }
}

/// The range without blank lines at its start, no longer than `most` characters.
fn trimmed(text: &str, range: Range<usize>, most: usize) -> Range<usize> {
    let inside = &text[range.clone()];
    // Indentation of the first line is part of code; only whole blank lines go.
    let blank: usize = inside
        .split_inclusive('\n')
        .take_while(|line| line.trim().is_empty())
        .map(str::len)
        .sum();
    let start = range.start + blank;
    // In the middle of a line, after a sentence or a word, white space only parts.
    let parting = if text[..start].is_empty() || text[..start].ends_with('\n') {
        0
    } else {
        text[start..range.end].len() - text[start..range.end].trim_start().len()
    };
    let start = start + parting;
    start..start + head(&text[start..range.end], most)
}

/// Passages with what follows each, from the start to the end of the text.
fn continuations<'a>(text: &'a str, kind: Kind, config: &Config) -> Vec<Draft<'a>> {
    let mut drafts = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let passage = trimmed(text, at..text.len(), PASSAGE_CHARS);
        let answer = trimmed(text, passage.end..text.len(), config.max_answer_chars);
        if answer.is_empty() {
            break;
        }
        at = answer.end;
        drafts.push(Draft {
            kind,
            section: "",
            passage: &text[passage],
            answer,
        });
    }
    drafts
}

struct Section {
    heading: Range<usize>,
    body: Range<usize>,
}

/// Sections with text of their own, each up to the next heading of any level.
fn sections(text: &str) -> Vec<Section> {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter();
    let headings: Vec<Range<usize>> = events
        .filter(|(event, _)| matches!(event, Event::Start(Tag::Heading { .. })))
        .map(|(_, range)| range)
        .collect();
    let ends = headings.iter().skip(1).map(|next| next.start).chain([text.len()]);
    let section = |(heading, end): (&Range<usize>, usize)| Section {
        heading: heading.clone(),
        body: heading.end..end,
    };
    headings
        .iter()
        .zip(ends)
        .map(section)
        .filter(|section| section.body.start <= section.body.end)
        .collect()
}

/// Names that a file of code defines at its top level.
fn names(text: &str) -> String {
    static DEFINITION: LazyLock<Option<Regex>> = LazyLock::new(|| {
        let words = "fn|struct|enum|trait|mod|class|def|function|interface|type|func";
        Regex::new(&format!(
            r"(?m)^(?:pub(?:\([a-z]+\))? |export |default |async |unsafe )*(?:{words}) (\w+)"
        ))
        .ok()
    });
    let found = DEFINITION
        .iter()
        .flat_map(|definition| definition.captures_iter(text));
    let mut names: Vec<&str> = Vec::new();
    for name in found.filter_map(|found| found.get(1)).map(|name| name.as_str()) {
        if !names.contains(&name) {
            names.push(name);
        }
        if names.len() == NAMES {
            break;
        }
    }
    names.join(", ")
}

/// A number that is the same for the same document and pair.
fn pick(id: &str, n: usize) -> u64 {
    let hash = blake3::hash(format!("{n} {id}").as_bytes());
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
