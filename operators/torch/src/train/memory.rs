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

    /// `count` sequences did not fit: half of them next time, where that is wanted and can be.
    ///
    /// # Errors
    /// `train.out_of_memory`, saying what may fit.
    pub fn shrink(&mut self, count: usize, repeatable: bool, error: ModelError) -> Result<(), OperatorError> {
        let half = count / 2;
        if self.wanted == MicroBatch::Auto && half >= 1 && repeatable {
            self.most = Some(half);
            return Ok(());
        }
        let hint = if half >= 1 {
            format!(
                "Set `micro_batch: {half}` or `micro_batch: auto`; `gradient_checkpointing: true` saves more."
            )
        } else {
            "A single sequence does not fit: set a smaller `context`, `gradient_checkpointing: true`, `method: qlora` \
             or a smaller base."
                .to_owned()
        };
        Err(OperatorError::config(
            "train.out_of_memory",
            format!("{count} sequences at a time do not fit the memory: {error}"),
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
