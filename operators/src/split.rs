//! The split into training and held-out documents: by document, decided by content alone, the same for every operator
//! that needs it (`instruct`, `tokenizer`, `train`), so that a held-out text is held out everywhere. Not so where `instruct`
//! holds out more than the share, by time or because of `at_least`: what it held out is then known only from its rows.

use std::fmt;

/// Share of groups held out unless the YAML says otherwise.
pub const EVAL_SHARE: f64 = 0.1;

/// Held-out documents that a comparison needs at the least, unless the YAML says otherwise.
pub const MIN_HELD_OUT: usize = 2;

/// Words of an untitled text that make its key. Few, so that the first chunk of a document gives the document's key.
const KEY_WORDS: usize = 8;

/// A title of fewer letters and digits says nothing ("Hi", "#3").
const SHORTEST_TITLE: usize = 4;

/// Which side of the split a document is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Trained on.
    Train,
    /// Held out: evaluated on, never trained on.
    Eval,
}

impl Split {
    /// The word in the column `split`: `train` or `eval`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Eval => "eval",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What documents have in common that must not be torn apart: a title (reposts, other editions of a text), or where
/// there is none the first eight words. Case, spaces and punctuation do not count. `text` is the document's text, or
/// its first chunk.
#[must_use]
pub fn group_key(title: Option<&str>, text: &str) -> String {
    let title = title.map(|title| words(title, usize::MAX)).unwrap_or_default();
    if title.chars().filter(|c| *c != ' ').count() >= SHORTEST_TITLE {
        title
    } else {
        words(text, KEY_WORDS)
    }
}

/// The side of a group: a hash of its key against `eval_share` (0 to 1). Adding documents never moves another one.
#[must_use]
pub fn split_of(group_key: &str, eval_share: f64) -> Split {
    split_of_hash(group_hash(group_key), eval_share)
}

/// The hash that a group's side is decided by: the smallest are held out.
#[must_use]
pub fn group_hash(group_key: &str) -> u64 {
    let hash = blake3::hash(group_key.as_bytes());
    let bytes = hash.as_bytes().iter().take(8);
    bytes.fold(0, |head, byte| (head << 8) | u64::from(*byte))
}

/// [`split_of`], of a group's hash.
#[must_use]
pub fn split_of_hash(group_hash: u64, eval_share: f64) -> Split {
    let head = u32::try_from(group_hash >> 32).unwrap_or(u32::MAX);
    if f64::from(head) / (f64::from(u32::MAX) + 1.0) < eval_share {
        Split::Eval
    } else {
        Split::Train
    }
}

/// The first `most` words, lower case, letters and digits only, joined by a space.
fn words(text: &str, most: usize) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(most);
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_punctuation_do_not_part_a_group() {
        assert_eq!(
            group_key(Some("The Art of Data!"), "x"),
            group_key(Some("the  art of data"), "y")
        );
        let first_chunk = "One two, three four five six seven EIGHT nine";
        assert_eq!(
            group_key(None, first_chunk),
            group_key(Some("#1"), &format!("{first_chunk} and much more"))
        );
    }

    #[test]
    fn the_share_holds_and_nothing_moves() {
        let eval = |share| -> Vec<usize> {
            (0..10_000)
                .filter(|n| split_of(&format!("document {n}"), share) == Split::Eval)
                .collect()
        };
        let tenth = eval(0.1);
        assert!((900..1100).contains(&tenth.len()), "{}", tenth.len());
        let fifth = eval(0.2);
        assert!(
            tenth.iter().all(|n| fifth.contains(n)),
            "a larger share only adds to the held-out side"
        );
        assert!(eval(0.0).is_empty());
        assert_eq!(eval(1.0).len(), 10_000);
    }
}
