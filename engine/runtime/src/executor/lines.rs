//! Lines from a worker, bounded in length.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// No line is longer than this; the rest of a longer one is thrown away.
pub const LONGEST: usize = 8 << 20;

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// All of it, without its end.
    Whole,
    /// Its beginning: it is longer than the limit.
    Cut,
}

/// Reads the next line into `line`; none is the end of the stream. May be dropped between reads without loss only
/// when it has not been polled.
pub async fn next<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    line: &mut Vec<u8>,
    longest: usize,
) -> std::io::Result<Option<Line>> {
    line.clear();
    let mut cut = false;
    loop {
        let buffer = reader.fill_buf().await?;
        if buffer.is_empty() {
            let nothing = line.is_empty() && !cut;
            return Ok((!nothing).then_some(if cut { Line::Cut } else { Line::Whole }));
        }
        let (text, used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&buffer[..at], at + 1, true),
            None => (buffer, buffer.len(), false),
        };
        let room = longest - line.len();
        cut |= text.len() > room;
        line.extend_from_slice(&text[..text.len().min(room)]);
        reader.consume(used);
        if ended {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(Some(if cut { Line::Cut } else { Line::Whole }));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    async fn read(text: &[u8], longest: usize) -> Vec<(String, Line)> {
        let mut reader = tokio::io::BufReader::with_capacity(3, text);
        let (mut line, mut lines) = (Vec::new(), Vec::new());
        while let Some(kind) = next(&mut reader, &mut line, longest).await.unwrap() {
            lines.push((String::from_utf8_lossy(&line).into_owned(), kind));
        }
        lines
    }

    #[tokio::test]
    async fn lines_are_whole_or_cut() {
        let lines = read(b"ab\r\n\n123456789\n1234\nlast", 4).await;
        let expected = [
            ("ab", Line::Whole),
            ("", Line::Whole),
            ("1234", Line::Cut),
            ("1234", Line::Whole),
            ("last", Line::Whole),
        ];
        assert_eq!(lines, expected.map(|(text, kind)| (text.to_owned(), kind)));
        assert_eq!(read(b"", 4).await, []);
    }
}
