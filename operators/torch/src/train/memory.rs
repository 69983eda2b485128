//! Memory: what is used, and how many sequences fit at a time.

use tch::Device;
use twinloom_operators::train::MicroBatch;
use twinloom_sdk::OperatorError;

use crate::ModelError;

/// How many sequences are computed at a time. It only ever shrinks.
#[derive(Debug)]
pub struct Memory {
    wanted: MicroBatch,
    most: Option<usize>,
}

impl Memory {
    /// As configured.
    #[must_use]
    pub fn new(wanted: MicroBatch) -> Self {
        let most = match wanted {
            MicroBatch::Fixed(most) => Some(most.max(1)),
            MicroBatch::Whole | MicroBatch::Auto => None,
        };
        Self { wanted, most }
    }

    /// At most so many of a batch at a time.
    #[must_use]
    pub fn most(&self, batch: usize) -> usize {
        self.most.unwrap_or(batch).max(1)
    }

    /// `count` sequences did not fit: half of them next time, where that is wanted and can be. Gives how many.
    ///
    /// # Errors
    /// `train.out_of_memory`, saying what may fit.
    pub fn shrink(&mut self, count: usize, error: &ModelError) -> Result<usize, OperatorError> {
        let half = count / 2;
        if self.wanted == MicroBatch::Auto && half >= 1 {
            self.most = Some(half);
            return Ok(half);
        }
        let (what, hint) = if half >= 1 {
            let hint = format!(
                "Set `micro_batch: {half}` or `micro_batch: auto`; `gradient_checkpointing: true` saves more."
            );
            (format!("{count} sequences at a time do not fit"), hint)
        } else {
            let hint =
                "Set a smaller `context`, `gradient_checkpointing: true`, `method: qlora` or a smaller base.";
            ("a single sequence does not fit".to_owned(), hint.to_owned())
        };
        Err(OperatorError::config(
            "train.out_of_memory",
            format!("{what} the memory: {error}"),
            hint,
        ))
    }
}

/// Mebibytes in use: of the GPU's allocator at most so far, or of this process now.
#[must_use]
pub fn used_mib(device: Device) -> f64 {
    let bytes = match device {
        Device::Cuda(index) => twinloom_shim::gpu_memory(index, false).map_or(0, |(_, peak)| peak),
        _ => resident(),
    };
    bytes as f64 / f64::from(1 << 20)
}

/// Resident bytes of this process; 0 where /proc does not say.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok().and_then(|text| {
        text.split_whitespace()
            .nth(1)
            .and_then(|pages| pages.parse::<u64>().ok())
    });
    pages.unwrap_or(0) * 4096
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use twinloom_sdk::ErrorKind;

    use super::*;

    #[test]
    fn what_would_fit_is_found_or_told() {
        let full = ModelError::input("out of memory", "");
        let mut auto = Memory::new(MicroBatch::Auto);
        assert_eq!(auto.most(12), 12);
        assert_eq!((auto.shrink(12, &full).unwrap(), auto.most(12)), (6, 6));
        assert_eq!(
            (auto.shrink(6, &full).unwrap(), auto.shrink(3, &full).unwrap()),
            (3, 1)
        );
        let alone = auto.shrink(1, &full).unwrap_err();
        assert!(
            alone.hint.contains("context") && alone.message.starts_with("a single"),
            "{alone}"
        );

        let whole = Memory::new(MicroBatch::Whole).shrink(12, &full).unwrap_err();
        assert_eq!(
            (whole.code.as_str(), whole.kind),
            ("train.out_of_memory", ErrorKind::Config)
        );
        assert!(whole.hint.contains("micro_batch: 6"), "{whole}");
        let fixed = Memory::new(MicroBatch::Fixed(4));
        assert_eq!(fixed.most(12), 4);
    }
}
