//! Data on stdout: JSON for programs, aligned columns for people. Words go to stderr.

use std::io::{self, Write};

use jiff::{SignedDuration, Timestamp, Unit};
use serde::Serialize;

use crate::error::CliError;

/// Prints to stdout; a closed pipe (`| head`) is no error.
pub fn line(text: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}");
}

/// Prints a part of a text to stdout as it comes; false when nobody reads any more.
pub fn part(text: &str) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// Words for people, on stderr.
pub fn say(text: &str) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{text}");
}

/// One JSON document on one line.
///
/// # Errors
/// When the value does not serialise.
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(&serde_json::to_string(value)?);
    Ok(())
}

/// Columns, aligned; numbers are the caller's to format.
pub fn table(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let row = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            let gap = width.saturating_sub(cell.chars().count());
            format!("{cell}{}", " ".repeat(gap))
        });
        line(padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    row(&head.iter().map(|title| title.to_uppercase()).collect::<Vec<_>>());
    rows.iter().for_each(|cells| row(cells));
}

/// `1 m 23 s`, `4.2 s`, `12 ms`.
pub fn duration(from: Timestamp, to: Timestamp) -> String {
    let span = to.duration_since(from);
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis().max(0)),
        secs if secs < 60 => format!("{:.1} s", span.as_secs_f64()),
        secs if secs < 3600 => format!("{} m {} s", secs / 60, secs % 60),
        secs => format!("{} h {} m", secs / 3600, secs % 3600 / 60),
    }
}

/// A time to the second, in UTC.
pub fn time(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}

/// `3 min ago`.
pub fn ago(at: Timestamp, now: Timestamp) -> String {
    let span: SignedDuration = now.duration_since(at);
    match span.as_secs() {
        secs if secs < 60 => "just now".to_owned(),
        secs if secs < 3600 => format!("{} min ago", secs / 60),
        secs if secs < 172_800 => format!("{} h ago", secs / 3600),
        secs => format!("{} d ago", secs / 86_400),
    }
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    grouped.join(",")
}

/// `1.5 MiB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let step = ((64 - number.leading_zeros()).saturating_sub(1) / 10).min(4) as usize;
    if step == 0 {
        return format!("{number} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "shown to one decimal")]
    let value = number as f64 / (1_u64 << (10 * step)) as f64;
    format!("{value:.1} {}", UNITS[step])
}

/// Text on one line, cut to `width` characters.
pub fn cut(text: &str, width: usize) -> String {
    let flat: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(width + 1)
        .collect();
    if flat.chars().count() > width {
        flat.chars().take(width.saturating_sub(1)).chain(['…']).collect()
    } else {
        flat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(12), "12");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 40), "5.0 TiB");
    }

    #[test]
    fn text_is_cut_at_characters() {
        assert_eq!(cut("äöüß", 4), "äöüß");
        assert_eq!(cut("äöüßé", 4), "äöü…");
        assert_eq!(cut("a\nb", 9), "a b");
    }

    #[test]
    fn durations_have_two_figures() {
        let zero = Timestamp::UNIX_EPOCH;
        let after = |ms| zero + SignedDuration::from_millis(ms);
        assert_eq!(duration(zero, after(12)), "12 ms");
        assert_eq!(duration(zero, after(4200)), "4.2 s");
        assert_eq!(duration(zero, after(83_000)), "1 m 23 s");
        assert_eq!(duration(zero, after(7_260_000)), "2 h 1 m");
    }
}
