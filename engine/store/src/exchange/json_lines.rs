//! JSON documents of any layout as one object a line, in bounded memory.

use std::io::{self, BufRead, Read};

/// Turns an array of objects, pretty-printed objects or lines into lines: outside strings, line breaks inside an object
/// become blanks, and the commas and brackets of an outer array become line breaks. Whether it is valid JSON is the
/// parser's business.
pub(super) struct JsonLines<R> {
    source: R,
    depth: u32,
    /// Whether an outer array is open; its own bracket does not count as depth.
    array: bool,
    in_string: bool,
    escaped: bool,
    begun: bool,
}

impl<R: BufRead> JsonLines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            depth: 0,
            array: false,
            in_string: false,
            escaped: false,
            begun: false,
        }
    }

    fn turn(&mut self, byte: u8) -> u8 {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return byte;
        }
        let outside = self.depth == 0;
        match byte {
            b'[' if outside && !self.begun => {
                (self.array, self.begun) = (true, true);
                b'\n'
            }
            b']' if outside && self.array => {
                self.array = false;
                b'\n'
            }
            b',' if outside && self.array => b'\n',
            b'\n' | b'\r' => {
                if outside {
                    b'\n'
                } else {
                    b' '
                }
            }
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.begun = true;
                byte
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                byte
            }
            b'"' => {
                (self.in_string, self.begun) = (true, true);
                byte
            }
            other => {
                self.begun |= !other.is_ascii_whitespace();
                other
            }
        }
    }
}

impl<R: BufRead> Read for JsonLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        for byte in &mut buffer[..read] {
            *byte = self.turn(*byte);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn objects(text: &str) -> Vec<serde_json::Value> {
        let mut lines = String::new();
        JsonLines::new(text.as_bytes())
            .read_to_string(&mut lines)
            .unwrap();
        lines
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn any_layout_becomes_lines() {
        let wanted = objects("{\"a\":[1,{\"b\":\"],}\\\"\\n\"}]}\n{\"a\":[]}");
        assert_eq!(wanted.len(), 2);
        assert_eq!(objects("[{\"a\":[1,{\"b\":\"],}\\\"\\n\"}]},{\"a\":[]}]"), wanted);
        assert_eq!(
            objects(" [\n  {\n \"a\": [\n1,\r\n{\"b\":\"],}\\\"\\n\"}\n]\n},\n {\"a\": [\n] }\n]\n"),
            wanted
        );
    }
}
