//! Bytes to text: byte order marks, declared charsets, UTF-8 with a count of what was not, and binaries told from text.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How much of a file is looked at to tell binary from text, in bytes.
const PROBE: usize = 8 * 1024;

/// How much of a page is looked at for the charset that it declares, in bytes.
const DECLARED: usize = 4 * 1024;

/// Text from bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without byte order mark.
    pub text: String,
    /// Characters that were not valid and stand as U+FFFD.
    pub invalid: usize,
    /// Whether it was read as windows-1252, because it says nothing of its charset and is not UTF-8.
    pub guessed: bool,
}

/// Decodes by the byte order mark, else by the charset that is `declared` (by a server, or [`declared`] in a page), else
/// as UTF-8; what is not valid becomes U+FFFD and is counted. Text that declares nothing and is not UTF-8 at all, but
/// for a stray byte, is read as windows-1252: what old editors and pages wrote, and browsers take it for.
#[must_use]
pub fn decode(bytes: Vec<u8>, declared: Option<&'static Encoding>) -> Decoded {
    match (bytes.as_slice(), declared) {
        ([0xFF, 0xFE, rest @ ..], _) => utf16(rest, u16::from_le_bytes),
        ([0xFE, 0xFF, rest @ ..], _) => utf16(rest, u16::from_be_bytes),
        ([0xEF, 0xBB, 0xBF, rest @ ..], _) => utf8(rest.to_vec(), false),
        (_, Some(charset)) if charset != UTF_8 => by_charset(&bytes, charset),
        _ => utf8(bytes, declared.is_none()),
    }
}

/// The charset that a page declares: `<meta charset="...">`, `<meta http-equiv content="...; charset=...">`, or the
/// `encoding` of an XML declaration.
#[must_use]
pub fn declared(html: &[u8]) -> Option<&'static Encoding> {
    let head: String = html
        .iter()
        .take(DECLARED)
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    let xml = head
        .strip_prefix("<?xml")
        .and_then(|rest| label(rest.split_once("?>")?.0, "encoding"));
    let meta = || {
        head.split("<meta")
            .skip(1)
            .find_map(|rest| label(rest.split_once('>')?.0, "charset"))
    };
    let charset = xml.or_else(meta)?;
    // A mark in ASCII cannot stand in UTF-16.
    Some(charset.output_encoding())
}

/// The charset after `key =` in a tag.
fn label(tag: &str, key: &str) -> Option<&'static Encoding> {
    tag.match_indices(key).find_map(|(at, _)| {
        let value = tag[at + key.len()..].trim_start().strip_prefix('=')?.trim_start();
        let value = value.trim_start_matches(['"', '\'']);
        let end = value.find(|c: char| c.is_whitespace() || "\"';/>".contains(c));
        Encoding::for_label(&value.as_bytes()[..end.unwrap_or(value.len())])
    })
}

fn by_charset(bytes: &[u8], charset: &'static Encoding) -> Decoded {
    let (text, broken) = charset.decode_without_bom_handling(bytes);
    let invalid = if broken { replacements(&text) } else { 0 };
    Decoded {
        text: text.into_owned(),
        invalid,
        guessed: false,
    }
}

/// Whether bytes are not UTF-8 with a fault in it: more of them are none than are part of a letter of several bytes.
fn is_single_byte(bytes: &[u8]) -> bool {
    let (mut letters, mut stray) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        letters += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
        stray += usize::from(!chunk.invalid().is_empty());
    }
    stray > letters
}

/// Whether bytes are no text: a NUL (without the mark of UTF-16), or many control characters near the start.
#[must_use]
pub fn is_binary(bytes: &[u8]) -> bool {
    if matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]) {
        return false;
    }
    let probe = &bytes[..bytes.len().min(PROBE)];
    if memchr::memchr(0, probe).is_some() {
        return true;
    }
    let control = probe
        .iter()
        .filter(|byte| matches!(byte, 1..=8 | 14..=26 | 28..=31 | 127))
        .count();
    control * 20 > probe.len()
}

/// UTF-8; where it is none and one may `guess`, windows-1252.
fn utf8(bytes: Vec<u8>, guess: bool) -> Decoded {
    match String::from_utf8(bytes) {
        Ok(text) => Decoded {
            text,
            invalid: 0,
            guessed: false,
        },
        Err(error) if guess && is_single_byte(error.as_bytes()) => Decoded {
            guessed: true,
            ..by_charset(error.as_bytes(), WINDOWS_1252)
        },
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            Decoded {
                invalid: replacements(&text),
                text,
                guessed: false,
            }
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Decoded {
    let odd = bytes.len() % 2;
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let mut invalid = odd;
    let mut text: String = char::decode_utf16(units)
        .map(|letter| {
            letter.unwrap_or_else(|_| {
                invalid += 1;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    if odd == 1 {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    Decoded {
        text,
        invalid,
        guessed: false,
    }
}

fn replacements(text: &str) -> usize {
    memchr::memmem::find_iter(text.as_bytes(), "\u{FFFD}".as_bytes()).count()
}

/// The text with `\n` for `\r\n` and lone `\r`, and without a byte order mark at the start.
#[must_use]
pub fn unix_lines(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    if memchr::memchr(b'\r', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for at in memchr::memchr_iter(b'\r', text.as_bytes()) {
        out.push_str(&text[copied..at]);
        copied = at + 1;
        if text.as_bytes().get(copied) != Some(&b'\n') {
            out.push('\n');
        }
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}
