#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;

use super::{
    decode::{declared, decode, is_binary, unix_lines},
    language::{of_file, of_prose},
    lines::{Lines, count_chars, offset_of_char},
    styled::{is_styled, plain},
};

#[test]
fn styled_letters_become_plain_and_nothing_else_changes() {
    let cases = [
        ("𝗕𝗼𝗹𝗱 𝘢𝘯𝘥 𝘪𝘵𝘢𝘭𝘪𝘤", "Bold and italic"),
        ("𝚖𝚘𝚗𝚘 𝟭𝟮𝟯", "mono 123"),
        ("𝑇ℎ𝑒 𝑠𝑐𝑟𝑖𝑝𝑡 𝒽ℯ𝓁𝓁ℴ", "The script hello"),
        ("ＡＢＣ１２", "ABC12"),
        ("ⒶⒷⓒ", "ABc"),
        ("ℝ stays, and ™ № … ½ ﬁ ，", "ℝ stays, and ™ № … ½ ﬁ ，"),
        ("🔥 👩‍💻 ↓ → 🇷🇴 🅰️", "🔥 👩‍💻 ↓ → 🇷🇴 🅰️"),
    ];
    for (styled, expected) in cases {
        assert_eq!(plain(styled), expected);
    }
}

#[test]
fn line_ends_become_unix_ones() {
    assert_eq!(unix_lines("\u{FEFF}a\r\nb\rc\n\r\n"), "a\nb\nc\n\n");
    assert!(matches!(unix_lines("a\nb"), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn bytes_are_decoded_by_their_mark_and_invalid_ones_counted() {
    let plain = |bytes: &[u8]| decode(bytes.to_vec(), None);
    assert_eq!(plain(b"\xEF\xBB\xBFhi").text, "hi");
    assert_eq!(plain(b"\xFF\xFEh\0i\0").text, "hi");
    assert_eq!(plain(b"\xFE\xFF\0h\0i").text, "hi");
    let lossy = plain("café, naïve and \u{1F525}".as_bytes().split_last().unwrap().1);
    assert_eq!(
        (lossy.text.as_str(), lossy.invalid, lossy.guessed),
        ("café, naïve and \u{FFFD}", 1, false)
    );
}

#[test]
fn text_of_another_charset_keeps_its_letters() {
    let guessed = decode(b"caf\xE9 \x93na\xEFve\x94".to_vec(), None);
    assert_eq!(
        (guessed.text.as_str(), guessed.invalid, guessed.guessed),
        ("café “naïve”", 0, true)
    );
    for (html, name) in [
        (
            "<html><head><meta charset=\"ISO-8859-1\"><title>",
            Some("windows-1252"),
        ),
        ("<HTML><META CharSet=koi8-r />", Some("KOI8-R")),
        (
            "<meta name=a><meta http-equiv=Content-Type content=\"text/html; charset=shift_jis\">",
            Some("Shift_JIS"),
        ),
        (
            "<?xml version=\"1.0\" encoding='iso-8859-2'?><html>",
            Some("ISO-8859-2"),
        ),
        ("<meta charset=utf-16le>", Some("UTF-8")),
        ("<meta charset=\"no-such\"><p>charset=koi8-r", None),
        ("<p>plain", None),
    ] {
        assert_eq!(
            declared(html.as_bytes()).map(|charset| charset.name()),
            name,
            "{html}"
        );
    }
    let russian = decode(
        b"\xF0\xD2\xC9".to_vec(),
        encoding_rs::Encoding::for_label(b"koi8-r"),
    );
    assert_eq!((russian.text.as_str(), russian.guessed), ("При", false));
    let wrong = decode(
        b"a\x81\xFFb".to_vec(),
        encoding_rs::Encoding::for_label(b"shift_jis"),
    );
    assert!(wrong.invalid > 0 && wrong.text.starts_with('a'), "{wrong:?}");
}

#[test]
fn binaries_are_told_from_text() {
    assert!(is_binary(b"\x7fELF\x02\x01\x01\0\0\0"));
    assert!(is_binary(&[1, 2, 3, 4, 5, 6, 7, 8, b'a']));
    assert!(!is_binary("Grüße\t\r\n".as_bytes()));
    assert!(!is_binary(b"\xFF\xFEh\0i\0"));
    assert!(!is_binary(b""));
}

#[test]
fn languages_are_found_where_there_is_enough() {
    assert_eq!(
        of_prose("We walked along the river until the evening, and nobody said a word about it."),
        Some("eng")
    );
    assert_eq!(
        of_prose("Wir gingen bis zum Abend den Fluss entlang, und niemand sprach ein Wort darüber."),
        Some("deu")
    );
    assert_eq!(of_prose("ok"), None);
    assert_eq!(of_file("src/a.RS"), Some("rust"));
    assert_eq!(of_file("Makefile"), Some("make"));
    assert_eq!(of_file("a.unknown"), None);
}

proptest! {
    #[test]
    fn plain_leaves_no_styled_letter(text in "(\\PC|[𝐀-𝟿]|[Ａ-ｚ]|[Ⓐ-ⓩ]|ℎ|ℝ){0,40}") {
        let once = plain(&text).into_owned();
        prop_assert!(!is_styled(&once), "{once:?}");
    }

    #[test]
    fn lines_cover_the_text(text in "[a\\n\\r é]{0,60}") {
        let joined: String = Lines::of(&text).map(|line| &text[line.start..line.next]).collect();
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn offsets_of_characters_are_those_of_the_standard_library(text in "\\PC{0,300}", count in 0_usize..320) {
        let expected = text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
        prop_assert_eq!(offset_of_char(&text, count), expected);
        prop_assert_eq!(count_chars(&text), text.chars().count());
    }
}

#[test]
fn near_texts_are_found_and_other_texts_are_not() {
    use super::near::{Signature, near_duplicates};
    let text: String = (0..200)
        .map(|n| format!("Word{} of the text, number {n}. ", n * n % 97))
        .collect();
    let near = text.replace("number 17.", "number seventeen!").to_uppercase();
    let half: String = text.chars().take(text.len() / 2).collect::<String>()
        + &"Nothing of the sort was ever written here. ".repeat(40);
    let other: String = (0..200)
        .map(|n| format!("Another {} altogether, as {n} said. ", n * 31 % 89))
        .collect();
    let texts = [text.as_str(), &near, &half, &other, "", "short", "Short!"];
    let signatures: Vec<_> = texts.iter().map(|text| Signature::new(text)).collect();
    let similar = |a: usize, b: usize| {
        signatures[a]
            .as_ref()
            .unwrap()
            .similarity(signatures[b].as_ref().unwrap())
    };
    assert!((similar(0, 0) - 1.0).abs() < 1e-12);
    assert!(similar(0, 1) > 0.9, "{}", similar(0, 1));
    assert!((0.2..0.7).contains(&similar(0, 2)), "{}", similar(0, 2));
    assert!(similar(0, 3) < 0.15, "{}", similar(0, 3));
    assert!(signatures[4].is_none());
    let order: Vec<usize> = (0..texts.len()).collect();
    let found = near_duplicates(&signatures, &order, 0.8);
    let pairs: std::collections::BTreeMap<_, _> = found.iter().map(|(a, (b, _))| (*a, *b)).collect();
    assert_eq!(pairs, [(1, 0), (6, 5)].into());
    assert!(
        near_duplicates(&signatures, &[1, 0], 0.8).contains_key(&0),
        "the first in order is kept"
    );
}

#[test]
fn estimates_of_what_texts_have_in_common_are_near_the_truth() {
    use super::near::{Signature, shingles};
    let text = |from: usize| -> String { (from..from + 300).map(|n| format!("w{n} ")).collect() };
    let set = |text: &str| {
        let mut all = std::collections::HashSet::new();
        shingles(text, 5, |shingle| {
            all.insert(shingle);
        });
        all
    };
    for shift in [0, 20, 60, 150, 299] {
        let (a, b) = (text(0), text(shift));
        let (x, y) = (set(&a), set(&b));
        let truth = x.intersection(&y).count() as f64 / x.union(&y).count() as f64;
        let found = Signature::new(&a)
            .unwrap()
            .similarity(&Signature::new(&b).unwrap());
        assert!((found - truth).abs() < 0.12, "{shift}: {found} for {truth}");
    }
}

#[test]
fn writing_without_spaces_has_words() {
    use super::near::words;
    assert_eq!(words("我写了一封信。").count(), 6);
    assert_eq!(words("Ein Brief, geschrieben — heute!").count(), 4);
    assert_eq!(
        words("ÄPFEL").collect::<Vec<_>>(),
        words("äpfel").collect::<Vec<_>>()
    );
}
