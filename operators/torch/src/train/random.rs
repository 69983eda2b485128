//! Random numbers that are the same in every build and version: a result that is to repeat must not hang on a library.

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A stream of its own for each pair of seed and purpose.
    #[must_use]
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut random = Self(seed);
        let start = random.bits() ^ purpose.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        Self(start)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 where that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.bits()) * (bound as u128);
        usize::try_from(wide >> 64).unwrap_or_default()
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// `wanted` numbers below `total`, ascending, spread evenly by chance; all where there are not more.
    pub fn sample(&mut self, total: usize, wanted: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..total).collect();
        if total > wanted {
            self.shuffle(&mut all);
            all.truncate(wanted);
            all.sort_unstable();
        }
        all
    }
}
