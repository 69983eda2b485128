//! Posts: plain letters, hashtags in one piece, lines as they are.

use std::borrow::Cow;

use crate::text::styled;

/// A hashtag as the page's text has it: a hidden word, the mark and the tag on lines of their own.
const SPLIT_HASHTAG: &str = "hashtag\n#\n";

/// Ends of posts that were cut short by a button.
const MORE: [&str; 4] = ["…see more", "...see more", "… see more", "…more"];

/// Cleans a post.
pub fn clean<'a>(text: Cow<'a, str>, plain_letters: bool) -> Cow<'a, str> {
    let text = if plain_letters {
        map(text, styled::plain)
    } else {
        text
    };
    let text = map(text, join_hashtags);
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    }
}

fn trim(text: &str) -> &str {
    let text = text.trim();
    MORE.iter()
        .find_map(|more| text.strip_suffix(more))
        .map_or(text, str::trim_end)
}

fn join_hashtags(text: &str) -> Cow<'_, str> {
    if !text.contains(SPLIT_HASHTAG) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SPLIT_HASHTAG) {
        let (before, after) = (&rest[..at], &rest[at + SPLIT_HASHTAG.len()..]);
        out.push_str(before);
        // Only where the tag is a word of its own line, as the page has it.
        let own_line = before.is_empty() || before.ends_with('\n');
        let tagged = after.starts_with(|letter: char| letter.is_alphanumeric());
        out.push_str(if own_line && tagged { "#" } else { SPLIT_HASHTAG });
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn map<'a>(text: Cow<'a, str>, change: impl for<'t> Fn(&'t str) -> Cow<'t, str>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => change(text),
        Cow::Owned(text) => match change(&text) {
            Cow::Owned(changed) => Cow::Owned(changed),
            Cow::Borrowed(_) => Cow::Owned(text),
        },
    }
}
