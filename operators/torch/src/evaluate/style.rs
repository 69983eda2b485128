//! Style without topic: function words, punctuation and the order they come in. All other words are masked by their
//! length, so that what a text is about does not count.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::bootstrap::quantile;

/// Words that a writer of English uses whatever they write of.
const ENGLISH: &str = "a about above after again against all almost along already also although always am among an and \
    another any are around as at away back be because become been before being below between both but by can cannot \
    could did do does done down each either else enough even ever every few for from further get give go had has have \
    he hence her here him his how however i if in indeed instead into is it its itself just least less like made make \
    many may maybe me might more most much must my near neither never no none nor not nothing now of off often on once \
    one only or other our out over own per perhaps quite rather really s same she should since so some still such t \
    than that the their them themselves then there therefore these they this those though through thus to together too \
    toward under unless until up upon us very was we well were what when where whether which while who whole whom whose \
    why will with within without would yet you your";

const MARKS: [char; 18] = [
    '.', ',', ';', ':', '!', '?', '-', '–', '—', '(', ')', '"', '\'', '“', '’', '`', '*', '\n',
];

/// Parts of the author's text that the band is made of.
const PARTS: usize = 40;

/// Share of a text's words that stand in the English list where it is English.
const ENGLISH_SHARE: f64 = 0.25;

/// Longest function word that is looked for in another language.
const SHORT: usize = 5;

/// The words that are not masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    words: HashMap<String, u32>,
}

impl Vocabulary {
    /// The function words of English; for an author who writes in another language, short words that stand in three of
    /// ten of their texts.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    pub fn of(texts: &[&str]) -> Self {
        let english = Self::from(ENGLISH.split_whitespace().map(str::to_owned));
        let (mut all, mut known) = (0_usize, 0_usize);
        let mut in_texts: BTreeMap<String, usize> = BTreeMap::new();
        for text in texts {
            let mut own = BTreeSet::new();
            for word in words(text) {
                all += 1;
                known += usize::from(english.words.contains_key(&word));
                if word.chars().count() <= SHORT {
                    own.insert(word);
                }
            }
            own.into_iter()
                .for_each(|word| *in_texts.entry(word).or_default() += 1);
        }
        if texts.len() < 10 || known as f64 >= ENGLISH_SHARE * all as f64 {
            return english;
        }
        let common = in_texts
            .into_iter()
            .filter(|(_, count)| count * 10 >= texts.len() * 3);
        Self::from(common.map(|(word, _)| word))
    }

    fn from(words: impl Iterator<Item = String>) -> Self {
        Self {
            words: words.zip(0..).collect(),
        }
    }

    /// A text as a sequence of kinds: a function word, a mark, a number, or a masked word of some length.
    fn kinds(&self, text: &str) -> Vec<u32> {
        let first = u32::try_from(self.words.len()).unwrap_or(u32::MAX / 2);
        let mut kinds = Vec::new();
        let mut word = String::new();
        for c in text.chars().chain(['\0']) {
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
                continue;
            }
            if !word.is_empty() {
                kinds.push(match self.words.get(&word) {
                    Some(known) => *known,
                    None if word.starts_with(char::is_numeric) => first + 32,
                    None => first + 33 + masked(word.chars().count()),
                });
                word.clear();
            }
            if let Some(mark) = MARKS.iter().position(|known| *known == c) {
                kinds.push(first + u32::try_from(mark).unwrap_or_default());
            }
        }
        kinds
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

/// The length of a word in four classes.
fn masked(letters: usize) -> u32 {
    match letters {
        0..=3 => 0,
        4..=6 => 1,
        7..=9 => 2,
        _ => 3,
    }
}

/// How often each kind occurs, and each pair of neighbours.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    single: BTreeMap<u32, f64>,
    pairs: BTreeMap<(u32, u32), f64>,
    total: f64,
}

impl Profile {
    /// The profile of a text.
    #[must_use]
    pub fn new(vocabulary: &Vocabulary, text: &str) -> Self {
        let kinds = vocabulary.kinds(text);
        let mut profile = Self::default();
        for kind in &kinds {
            *profile.single.entry(*kind).or_default() += 1.0;
            profile.total += 1.0;
        }
        for pair in kinds.windows(2) {
            if let [a, b] = pair {
                *profile.pairs.entry((*a, *b)).or_default() += 1.0;
            }
        }
        profile
    }

    /// Words and marks counted.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Hellinger distance, of single kinds and of pairs alike: 0 for equal frequencies, 1 for nothing in common.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        let common = f64::midpoint(
            affinity(&self.single, &other.single),
            affinity(&self.pairs, &other.pairs),
        );
        (1.0 - common).max(0.0).sqrt()
    }

    fn less(&self, part: &Self) -> Self {
        Self {
            single: without(&self.single, &part.single),
            pairs: without(&self.pairs, &part.pairs),
            total: self.total - part.total,
        }
    }
}

/// What two distributions have in common (Bhattacharyya), 0 where one is empty.
fn affinity<K: Ord>(a: &BTreeMap<K, f64>, b: &BTreeMap<K, f64>) -> f64 {
    let (all_a, all_b): (f64, f64) = (a.values().sum(), b.values().sum());
    if all_a <= 0.0 || all_b <= 0.0 {
        return 0.0;
    }
    a.iter()
        .filter_map(|(key, count)| Some(((count / all_a) * (b.get(key)? / all_b)).max(0.0).sqrt()))
        .sum()
}

fn without<K: Ord + Clone>(all: &BTreeMap<K, f64>, part: &BTreeMap<K, f64>) -> BTreeMap<K, f64> {
    all.iter()
        .map(|(key, count)| (key.clone(), (count - part.get(key).unwrap_or(&0.0)).max(0.0)))
        .collect()
}

/// The author's distance from themself: parts of a text against the rest of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The middle one.
    pub median: f64,
    /// 5% are below.
    pub low: f64,
    /// 5% are above.
    pub high: f64,
}

/// The band for parts of about `size` words and marks. A part's distance hangs on its size, so it has to be that of the
/// text that is compared. `None` where the author's texts do not make five parts.
#[must_use]
pub fn band(vocabulary: &Vocabulary, texts: &[&str], size: f64) -> Option<Band> {
    let whole = Profile::new(vocabulary, &texts.join("\n"));
    let mut parts = Vec::new();
    let (mut part, mut counted) = (String::new(), 0.0);
    for line in texts.iter().flat_map(|text| text.lines()) {
        part.push_str(line);
        part.push('\n');
        counted += Profile::new(vocabulary, line).total() + 1.0;
        if counted >= size.max(1.0) {
            parts.push(Profile::new(vocabulary, &part));
            (part, counted) = (String::new(), 0.0);
        }
        if parts.len() >= PARTS {
            break;
        }
    }
    if parts.len() < 5 {
        return None;
    }
    let mut distances: Vec<f64> = parts
        .iter()
        .map(|part| part.distance(&whole.less(part)))
        .collect();
    distances.sort_by(f64::total_cmp);
    let at = |share| quantile(&distances, share);
    Some(Band {
        median: at(0.5),
        low: at(0.05),
        high: at(0.95),
    })
}
