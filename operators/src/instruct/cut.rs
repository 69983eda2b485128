//! Places to cut a text at, and what it is about.

use std::collections::HashMap;

/// Words that say nothing about a text.
const COMMON: &str = " about above after again also another because been before being below between both cannot could \
    does doing down during each else ever every from further gets give goes have having here hers herself himself \
    into itself just know like made make makes many more most much must need never only other over really same self \
    shall should since some such take than that their them then there these they thing things this those through \
    under until upon used uses using very want wants well were what when where which while will with within without \
    would your yours yourself https http true false none null return import pub use let mut def class function const ";

/// The end of the longest beginning of `text` of at most `most` characters: after a paragraph, else a line, a sentence,
/// a word, as far as one ends in its second half. White space at the end is left off.
#[must_use]
pub fn head(text: &str, most: usize) -> usize {
    let Some((limit, _)) = text.char_indices().nth(most) else {
        return text.trim_end().len();
    };
    let window = &text[..limit];
    let half = window.char_indices().nth(most / 2).map_or(0, |(at, _)| at);
    let cuts = ["\n\n", "\n", ". ", "! ", "? ", " "];
    let found = cuts.iter().find_map(|mark| {
        // The mark may reach over the limit: a line that ends exactly there is whole.
        let reach = ceil(text, limit + mark.len());
        let at = text[..reach].rfind(mark)?;
        let end = at + mark.trim_end().len();
        (at >= half && end <= limit && end > 0).then_some(end)
    });
    text[..found.unwrap_or(limit)].trim_end().len()
}

fn ceil(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len())
}

/// Up to `most` words that come up most in the beginning of a text, most frequent first, then the earlier; joined by
/// commas. Words of fewer than four letters and common words do not count.
#[must_use]
pub fn keywords(text: &str, most: usize) -> String {
    const LOOKED_AT: usize = 20_000;
    let text = &text[..ceil(text, LOOKED_AT.min(text.len()))];
    let mut counts: HashMap<String, (usize, usize)> = HashMap::new();
    let words = text.split(|c: char| !c.is_alphanumeric()).enumerate();
    for (place, word) in
        words.filter(|(_, word)| word.chars().count() >= 4 && !word.starts_with(char::is_numeric))
    {
        let word = word.to_lowercase();
        if !COMMON.contains(&format!(" {word} ")) {
            counts.entry(word).or_insert((0, place)).0 += 1;
        }
    }
    let mut words: Vec<(String, (usize, usize))> = counts.into_iter().collect();
    words.sort_by(|(_, (a, a_place)), (_, (b, b_place))| b.cmp(a).then(a_place.cmp(b_place)));
    words
        .into_iter()
        .take(most)
        .map(|(word, _)| word)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_the_best_place_in_its_second_half() {
        let cut = |text: &str, most: usize| text[..head(text, most)].to_owned();
        assert_eq!(cut("short \n", 100), "short");
        assert_eq!(cut("First one.\n\nSecond, and more", 20), "First one.");
        assert_eq!(cut("One sentence. Another one here", 20), "One sentence.");
        assert_eq!(cut("no sentence at all in here", 15), "no sentence at");
        assert_eq!(cut("ééééééééééé", 4), "éééé");
        assert_eq!(cut("abcd\nefgh", 4), "abcd");
        assert_eq!(cut("", 4), "");
    }

    #[test]
    fn keywords_are_what_comes_up_most() {
        assert_eq!(
            keywords(
                "The store keeps versions. The Store and the scheduler, with the store's versions.",
                2
            ),
            "store, versions"
        );
        assert_eq!(keywords("a an the of 1234", 3), "");
        assert_eq!(keywords(&"é".repeat(30_000), 3).chars().count(), 10_000);
    }
}
