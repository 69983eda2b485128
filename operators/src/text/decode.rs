//! Bytes to text: byte order marks, UTF-16, UTF-8 with a count of what was not, and binaries told from text.

use std::borrow::Cow;

/// How much of a file is looked at to tell binary from text, in bytes.
const PROBE: usize = 8 * 1024;

/// Text from bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text, without byte order mark.
    pub text: String,
    /// Characters that were not valid and stand as U+FFFD.
    pub invalid: usize,
}

/// Decodes UTF-8 or, by its byte order mark, UTF-16; what is not valid becomes U+FFFD and is counted.
#[must_use]
pub fn decode(bytes: Vec<u8>) -> Decoded {
    match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest.to_vec()),
        _ => utf8(bytes),
    }
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

fn utf8(bytes: Vec<u8>) -> Decoded {
    match String::from_utf8(bytes) {
        Ok(text) => Decoded { text, invalid: 0 },
        Err(error) => {
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let before = replacements(&text);
            Decoded {
                invalid: before,
                text,
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
    Decoded { text, invalid }
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
