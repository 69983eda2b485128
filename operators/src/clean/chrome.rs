//! The words of sites that wrap articles: which paragraphs are buttons, menus and footers, and which only sound like it.
//!
//! A rule removes a paragraph only where it is nothing but the site's words; a sentence that mentions them stays.

use crate::text::lines::Lines;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Which kind of chrome.
    pub kind: Kind,
    /// Where the text goes on.
    pub end: usize,
}

/// Kinds of chrome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A subscribe or sign-in button; the paragraph before it may ask for it.
    Button,
    /// A share menu; the byline and the count of likes stand before it.
    ShareMenu,
    /// Anything else.
    Line,
}

/// Paragraphs that are buttons.
const BUTTONS: [&str; 17] = [
    "Subscribe",
    "Subscribe now",
    "SubscribeSign in",
    "Subscribed",
    "Sign in",
    "Sign up",
    "Sign inSign up",
    "Sign upSign in",
    "Sign up for free",
    "Open in app",
    "Open in appSign upSign in",
    "Open in appSign upSign inWriteSign upSign in",
    "Get the app",
    "Start Writing",
    "Start WritingGet the app",
    "Upgrade to paid",
    "Get 20% off for 1 year",
];

/// Paragraphs that are other words of a site.
const LINES: [&str; 9] = [
    "#",
    "PreviousNext",
    "ListenShare",
    "Leave a comment",
    "Share this post",
    "Give a gift subscription",
    "Substack is the home for great culture",
    "Privacy ∙ Terms ∙ Collection notice",
    "Top highlight",
];

/// Beginnings of paragraphs that are a site's notices.
const NOTICES: [&str; 2] = [
    "This site requires JavaScript to run correctly",
    "To make Medium work, we log user data",
];

/// Entries of a share menu.
const MENU: [&str; 12] = [
    "Copy link",
    "Facebook",
    "Email",
    "Note",
    "Notes",
    "Other",
    "More",
    "X",
    "Twitter",
    "LinkedIn",
    "Reddit",
    "Share",
];

/// Links that are buttons: `[Sign in](https://…)` as a paragraph or list item of its own.
const LINK_BUTTONS: [&str; 12] = [
    "Subscribe",
    "Subscribe now",
    "Sign in",
    "Sign up",
    "Log in",
    "Open in app",
    "Get the app",
    "Start Writing",
    "Share",
    "Leave a comment",
    "Upgrade to paid",
    "Give a gift subscription",
];

/// Whether a paragraph that begins with this line is worth a look. Cheap, and no for nearly all.
pub fn may_begin(line: &str) -> bool {
    let line = line.trim_ascii_start().as_bytes();
    match line.first() {
        Some(b'S' | b'O' | b'G' | b'P' | b'L' | b'T' | b'U' | b'#') => {
            line.len() <= 48 || line.starts_with(b"This site req") || line.starts_with(b"To make Medium")
        }
        Some(b'[') => true,
        Some(b'*' | b'-' | b'+') => line.get(1) == Some(&b' ') && line.trim_ascii_end().ends_with(b")"),
        _ => false,
    }
}

/// The chrome that begins with the paragraph at `start`.
pub fn at(text: &str, start: usize) -> Option<Found> {
    let (paragraph, next) = paragraph(text, start);
    if paragraph == "Share this post"
        && let Some(end) = share_menu(text, next)
    {
        return Some(Found {
            kind: Kind::ShareMenu,
            end,
        });
    }
    let found = |kind| Some(Found { kind, end: next });
    if BUTTONS.contains(&paragraph) || is_link_button(paragraph) {
        return found(Kind::Button);
    }
    if LINES.contains(&paragraph) || NOTICES.iter().any(|notice| paragraph.starts_with(notice)) {
        return found(Kind::Line);
    }
    None
}

/// Whether a paragraph is the stock sentence over a subscribe button.
pub fn asks_to_subscribe(paragraph: &str) -> bool {
    let short = paragraph.len() < 400;
    short
        && (paragraph.contains("is a reader-supported publication")
            || (paragraph
                .trim_start_matches(['*', '_', ' ', '>'])
                .starts_with("Thanks for reading")
                && paragraph.contains("ubscribe")))
}

/// Where the article ends and a newsletter's comments, recommendations and notices begin; the text's length where
/// they do not.
pub fn foot(text: &str) -> usize {
    let tail = &text[floor(text, text.len().saturating_sub(1024))..];
    if ![
        "This site requires JavaScript",
        "Start WritingGet the app",
        "Substack is the home for great culture",
    ]
    .iter()
    .any(|mark| memchr::memmem::find(tail.as_bytes(), mark.as_bytes()).is_some())
    {
        return text.len();
    }
    let bytes = text.as_bytes();
    let line_start = |at: usize| memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |newline| newline + 1);
    let last = |mark: &str| {
        memchr::memmem::rfind(bytes, mark.as_bytes())
            .map(|at| (line_start(at), at))
            // A paragraph of its own: a heading's marks may stand before it, words may not.
            .filter(|(start, at)| text[*start..*at].trim_matches(['#', ' ', '*']).is_empty())
            .map(|(start, _)| start)
    };
    let discussion = last("Discussion about this post");
    let foot = discussion
        .or_else(|| last("Ready for more?"))
        .unwrap_or(text.len());
    // The links to the neighbouring articles, and a guest author's card, stand just above.
    match memchr::memmem::rfind(&bytes[..foot], b"\nPreviousNext\n") {
        Some(at) if foot - at < 2048 => at + 1,
        _ => foot,
    }
}

/// The end of a share menu whose head, `Share this post`, ends at `at`: title and host, its entries, a count, `Share`.
fn share_menu(text: &str, at: usize) -> Option<usize> {
    let (mut entries, mut end, mut next) = (0, at, at);
    // A title in a heading and the host come before the entries.
    for _ in 0..2 {
        let (words, after) = paragraph(text, next);
        let host = !words.contains(char::is_whitespace) && words.contains('.');
        if words.starts_with('#') || host {
            next = after;
        }
    }
    loop {
        let (words, after) = paragraph(text, next);
        if entries < MENU.len() && MENU.contains(&words) && !(entries > 0 && words == "Share") {
            (entries, end, next) = (entries + 1, after, after);
        } else {
            break;
        }
    }
    if entries < 3 {
        return None;
    }
    let (words, after) = paragraph(text, end);
    if words == "Share" {
        return Some(after);
    }
    if super::byline::is_count(words) {
        let (words, after) = paragraph(text, after);
        if words == "Share" {
            return Some(after);
        }
    }
    Some(end)
}

/// The paragraph at `start`, trimmed, and where the next one starts. Only its first lines are looked at.
fn paragraph(text: &str, start: usize) -> (&str, usize) {
    let mut end = start;
    let mut next = text.len();
    let mut blank = false;
    for line in Lines::of(&text[start..]) {
        if line.is_blank() {
            blank = true;
        } else if blank {
            next = start + line.start;
            break;
        } else {
            end = start + line.next;
        }
        // No chrome is as long; whatever this is, it is not.
        if end - start > 4096 {
            break;
        }
    }
    (text[start..end].trim(), next)
}

fn is_link_button(paragraph: &str) -> bool {
    let item = paragraph.trim_start_matches(['*', '-', '+']).trim_start();
    let Some((label, target)) = item.strip_prefix('[').and_then(|rest| rest.split_once("](")) else {
        return false;
    };
    let one_link = target.find(')').is_some_and(|end| end + 1 == target.len());
    one_link && LINK_BUTTONS.contains(&label.trim())
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
