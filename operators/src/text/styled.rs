//! Letters that only look styled: mathematical bold, italic and monospace, full width, circled. Writers use them for
//! emphasis where a site has none; to a model they are other words. Emoji and everything else stay as they are.

use std::{borrow::Cow, sync::LazyLock};

use unicode_normalization::UnicodeNormalization;

/// The blocks of mathematical alphanumeric symbols, first and last.
const MATH: (u32, u32) = (0x1D400, 0x1D7FF);

/// Bytes that styled letters start with in UTF-8: no other byte has to be looked at.
const FIRST: [u8; 3] = [0xF0, 0xEF, 0xE2];

/// The text with styled letters and digits as plain ones (compatibility normalisation of those ranges alone).
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    let Some(first) = next_styled(text, 0) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut at) = (0, Some(first));
    while let Some(start) = at {
        out.push_str(&text[copied..start]);
        copied = start + push_run(&text[start..], &mut out);
        at = next_styled(text, copied);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// Whether any letter is styled.
#[must_use]
pub fn is_styled(text: &str) -> bool {
    next_styled(text, 0).is_some()
}

/// Writes the run of styled letters that `text` begins with plainly and returns its length in bytes.
fn push_run(text: &str, out: &mut String) -> usize {
    let mut length = 0;
    for letter in text.chars() {
        // Alone, ℝ or ℎ is a symbol; beside styled letters it is the letter their block left out.
        if !(in_style_block(letter) || in_letterlike(letter)) {
            break;
        }
        match plain_of(letter) {
            Some(plain) => out.push(plain),
            None => out.extend(std::iter::once(letter).nfkc()),
        }
        length += letter.len_utf8();
    }
    length
}

fn next_styled(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    for offset in memchr::memchr3_iter(FIRST[0], FIRST[1], FIRST[2], &bytes[from..]) {
        let at = from + offset;
        let candidate = match bytes[at] {
            0xF0 => bytes[at + 1] == 0x9D && (0x90..=0x9F).contains(&bytes[at + 2]),
            0xEF => matches!(bytes[at + 1], 0xBC | 0xBD),
            _ => matches!(bytes[at + 1], 0x92 | 0x93 | 0x84),
        };
        if candidate && begins_run(&text[at..]) {
            return Some(at);
        }
    }
    None
}

fn begins_run(text: &str) -> bool {
    let mut letters = text.chars();
    match letters.next() {
        Some(letter) if in_style_block(letter) => true,
        Some(letter) if in_letterlike(letter) => letters.next().is_some_and(in_math_alphanumerics),
        _ => false,
    }
}

fn in_style_block(letter: char) -> bool {
    in_math_alphanumerics(letter)
        || matches!(letter, '\u{FF10}'..='\u{FF19}' | '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}')
        || matches!(letter, '\u{24B6}'..='\u{24E9}')
}

fn in_math_alphanumerics(letter: char) -> bool {
    // The blocks have holes; what stands there has no plain form.
    plain_of(letter).is_some()
}

/// The plain form of a letter of the mathematical blocks.
fn plain_of(letter: char) -> Option<char> {
    /// Normalising one letter at a time costs a hundred times as much as looking it up.
    static PLAIN: LazyLock<Vec<Option<char>>> = LazyLock::new(|| {
        let plain = |letter: char| {
            std::iter::once(letter)
                .nfkc()
                .next()
                .filter(|plain| *plain != letter)
        };
        (MATH.0..=MATH.1)
            .map(|code| char::from_u32(code).and_then(plain))
            .collect()
    });
    let at = u32::from(letter).checked_sub(MATH.0)?;
    *PLAIN.get(usize::try_from(at).ok()?)?
}

/// Letters that the mathematical blocks leave out because they were encoded before.
fn in_letterlike(letter: char) -> bool {
    matches!(
        letter,
        'ℂ' | 'ℊ'
            | 'ℋ'
            | 'ℌ'
            | 'ℍ'
            | 'ℎ'
            | 'ℐ'
            | 'ℑ'
            | 'ℒ'
            | 'ℕ'
            | 'ℙ'
            | 'ℚ'
            | 'ℛ'
            | 'ℜ'
            | 'ℝ'
            | 'ℤ'
            | 'ℨ'
            | 'ℬ'
            | 'ℭ'
            | 'ℯ'
            | 'ℰ'
            | 'ℱ'
            | 'ℳ'
            | 'ℴ'
    )
}
