//! Pages of Medium as plain text: without line breaks, the article sits between a header and a footer whose words run
//! into each other.

use std::borrow::Cow;

const HEAD: &str = "Open in appSign upSign in";
const HEAD_END: &str = "ListenShare";
const FOOT: [&str; 2] = [
    "Sign up to discover human stories that deepen your understanding of the world",
    "HelpStatusAboutCareersPressBlogPrivacyTerms",
];
/// How far into the text its header may reach, in bytes.
const HEAD_REACH: usize = 4096;

/// The article of a page, its title as a heading; `None` where the text is no such page.
pub fn body<'a>(text: &'a str, title: Option<&str>, author: Option<&str>) -> Option<Cow<'a, str>> {
    let reach = &text[..floor(text, HEAD_REACH)];
    let bar = reach.find(HEAD)?;
    let end = reach[bar..].find(HEAD_END).map(|at| bar + at)?;
    let head = buttons_off(&text[bar + HEAD.len()..end]);
    let body = &text[end + HEAD_END.len()..];
    let body = &body[..foot(body)];
    let about = header(head, title, author);
    Some(if about.is_empty() {
        Cow::Borrowed(body)
    } else {
        Cow::Owned(format!("{about}{body}"))
    })
}

fn foot(body: &str) -> usize {
    FOOT.iter()
        .find_map(|mark| memchr::memmem::rfind(body.as_bytes(), mark.as_bytes()))
        .unwrap_or(body.len())
}

fn buttons_off(mut head: &str) -> &str {
    loop {
        let less = ["Write", "Sign up", "Sign in", "Top highlight"]
            .iter()
            .fold(head, |head, button| head.strip_prefix(button).unwrap_or(head));
        if less.len() == head.len() {
            return head;
        }
        head = less;
    }
}

/// What the author wrote above the article: a kicker, the title, a subtitle.
fn header(head: &str, title: Option<&str>, author: Option<&str>) -> String {
    // `…SubtitleAuthor·FollowPublished inPublication·16 min read·Mar 16, 20242.1K13`
    let byline = head
        .find("·Follow")
        .or_else(|| head.find("FollowPublished in"))
        .or_else(|| head.find(" min read"));
    let words = byline.map_or(head, |at| &head[..at]);
    let words = author
        .and_then(|author| words.strip_suffix(author))
        .unwrap_or(words);
    let Some(title) = title.filter(|title| !title.is_empty() && words.contains(*title)) else {
        return if words.is_empty() {
            String::new()
        } else {
            format!("{words}\n\n")
        };
    };
    let (kicker, subtitle) = words.split_once(title).unwrap_or(("", ""));
    let mut header = String::new();
    for (mark, part) in [("", kicker), ("# ", title), ("", subtitle)] {
        let part = part.trim();
        if !part.is_empty() {
            header.push_str(mark);
            header.push_str(part);
            header.push_str("\n\n");
        }
    }
    header
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
