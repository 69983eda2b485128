//! The parser counts characters; a span counts bytes.

/// Byte offset of every 64th character; nothing for ASCII, where both counts agree.
pub(super) struct Offsets<'a> {
    text: &'a str,
    checkpoints: Option<Vec<usize>>,
}

const STEP: usize = 64;

impl<'a> Offsets<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let checkpoints =
            (!text.is_ascii()).then(|| text.char_indices().step_by(STEP).map(|(at, _)| at).collect());
        Self { text, checkpoints }
    }

    /// The byte offset of a character, the text's end where there are fewer.
    pub(super) fn byte(&self, character: usize) -> usize {
        let Some(checkpoints) = &self.checkpoints else {
            return character.min(self.text.len());
        };
        let Some(start) = checkpoints.get(character / STEP) else {
            return self.text.len();
        };
        let rest = self.text.get(*start..).unwrap_or_default();
        rest.char_indices()
            .nth(character % STEP)
            .map_or(self.text.len(), |(at, _)| start + at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_become_bytes() {
        let text = "aé漢".repeat(50);
        let offsets = Offsets::new(&text);
        for (character, (byte, _)) in text.char_indices().enumerate() {
            assert_eq!(offsets.byte(character), byte);
        }
        assert_eq!(offsets.byte(150), text.len());
        assert_eq!(offsets.byte(9000), text.len());
        assert_eq!(Offsets::new("abc").byte(7), 3);
    }
}
