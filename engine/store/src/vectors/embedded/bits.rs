//! A bitmap of deleted rows.

/// One bit a row; a set bit is a deleted row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits(Vec<u8>);

impl Bits {
    /// `rows` rows, none deleted.
    pub fn new(rows: u64) -> Self {
        Self(vec![0; Self::bytes_of(rows)])
    }

    /// Takes a bitmap as it was stored; `None` where it is not one of `rows` rows.
    pub fn from_bytes(bytes: Vec<u8>, rows: u64) -> Option<Self> {
        let spare = (rows % 8) as u32;
        let clean = spare == 0 || bytes.last().is_none_or(|last| u32::from(*last) >> spare == 0);
        (bytes.len() == Self::bytes_of(rows) && clean).then_some(Self(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn get(&self, row: usize) -> bool {
        self.0.get(row / 8).is_some_and(|byte| byte >> (row % 8) & 1 == 1)
    }

    pub fn set(&mut self, row: usize) {
        if self.0.len() <= row / 8 {
            self.0.resize(row / 8 + 1, 0);
        }
        if let Some(byte) = self.0.get_mut(row / 8) {
            *byte |= 1 << (row % 8);
        }
    }

    /// Deleted rows.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    fn bytes_of(rows: u64) -> usize {
        rows.div_ceil(8) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_survive_their_bytes_and_others_are_refused() {
        let mut bits = Bits::new(11);
        bits.set(0);
        bits.set(10);
        assert_eq!(bits.count(), 2);
        let again = Bits::from_bytes(bits.as_bytes().to_vec(), 11);
        assert_eq!(again.as_ref(), Some(&bits));
        assert!(bits.get(10) && !bits.get(9) && !bits.get(99));
        assert_eq!(Bits::from_bytes(vec![0; 3], 11), None, "too long");
        assert_eq!(
            Bits::from_bytes(vec![0, 0b1000], 11),
            None,
            "a row that is not there"
        );
    }
}
