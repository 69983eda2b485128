//! Memory: what is used, and how many sequences fit at a time.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tch::Device;
use twinloom_operators::train::MicroBatch;
use twinloom_sdk::OperatorError;

use crate::ModelError;

/// How many sequences are computed at a time. It only ever shrinks.
#[derive(Debug)]
pub struct Memory {
    wanted: MicroBatch,
    most: Option<usize>,
    /// Tokens of the largest part that went through, by [`Pass`].
    proven: [usize; 2],
    /// Where it is kept for a later attempt, and what was kept last.
    note: Option<(PathBuf, Note)>,
}

/// What sequences are computed for: what fits the one says nothing of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// A loss alone.
    Measured,
    /// Its gradients too.
    Trained,
}

/// What a later attempt has to know, should this one be killed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// What memory running out has made of `micro_batch: auto`.
    most: Option<usize>,
    /// Sequences that are computed right now, more tokens than ever went through.
    trying: Option<usize>,
}

impl Memory {
    /// As configured.
    #[must_use]
    pub fn new(wanted: MicroBatch) -> Self {
        let most = match wanted {
            MicroBatch::Fixed(most) => Some(most.max(1)),
            MicroBatch::Whole | MicroBatch::Auto => None,
        };
        Self {
            wanted,
            most,
            proven: [0; 2],
            note: None,
        }
    }

    /// The same with a file that outlives a kill. An attempt that was killed while it computed more than ever went
    /// through most likely ran out of memory: `auto` goes on with half of that. Gives what happened to the attempt
    /// before, in words.
    #[must_use]
    pub fn kept(wanted: MicroBatch, path: &Path) -> (Self, Option<String>) {
        let mut memory = Self::new(wanted);
        let read = std::fs::read(path).ok();
        let note: Note = read
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let auto = wanted == MicroBatch::Auto;
        if auto {
            memory.most = note.most;
        }
        let words = note.trying.map(|count| {
            let killed = format!("the last attempt was killed while it computed {count} sequences at a time");
            if auto {
                let half = (count / 2).max(1);
                memory.most = Some(memory.most.map_or(half, |most| most.min(half)));
                format!("{killed}: going on with micro_batch {half}")
            } else {
                format!("{killed}: should memory have run out, set `micro_batch: auto`")
            }
        });
        memory.note = Some((path.to_owned(), note));
        memory.keep(None);
        (memory, words)
    }

    /// So many sequences of so many tokens are to be computed.
    pub fn begin(&mut self, pass: Pass, sequences: usize, tokens: usize) {
        if tokens > self.proven[pass as usize] {
            self.keep(Some(sequences));
        }
    }

    /// They went through.
    pub fn passed(&mut self, pass: Pass, tokens: usize) {
        let proven = &mut self.proven[pass as usize];
        *proven = tokens.max(*proven);
        self.keep(None);
    }

    /// They failed with an error that was told: nobody was killed.
    pub fn failed(&mut self) {
        self.keep(None);
    }

    fn keep(&mut self, trying: Option<usize>) {
        let most = self.most.filter(|_| self.wanted == MicroBatch::Auto);
        let note = Note { most, trying };
        let Some((path, last)) = &mut self.note else {
            return;
        };
        if *last == note {
            return;
        }
        *last = note;
        // It only helps after a kill: without it training goes on as well.
        let folder = path.parent().map(std::fs::create_dir_all);
        let written = serde_json::to_vec(&note).map(|text| std::fs::write(path, text));
        if !matches!((folder, written), (Some(Ok(())), Ok(Ok(())))) {
            tracing::debug!("the size of a batch cannot be kept");
        }
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
        let fits = self.wanted == MicroBatch::Auto && half >= 1;
        if fits {
            self.most = Some(half);
        }
        self.failed();
        if fits {
            return Ok(half);
        }
        let (what, hint) = if half >= 1 {
            let hint = format!(
                "Set `micro_batch: {half}` or `micro_batch: auto`; `gradient_checkpointing: true` saves more."
            );
            (format!("{count} sequences at a time do not fit"), hint)
        } else {
            let hint = "Set a smaller `context`, `gradient_checkpointing: true`, `load_in_4bit: true` or a smaller base.";
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

    #[test]
    fn an_attempt_after_a_kill_starts_at_half_of_what_was_tried() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoints/key.size");
        let kept = |wanted| Memory::kept(wanted, &path);
        // 12 went through; 12 longer ones were being computed when the process was killed.
        let (mut first, words) = kept(MicroBatch::Auto);
        assert_eq!((first.most(12), words), (12, None));
        first.begin(Pass::Trained, 12, 100);
        first.passed(Pass::Trained, 100);
        first.begin(Pass::Trained, 12, 90);
        drop(first);
        let (mut second, words) = kept(MicroBatch::Auto);
        assert_eq!(
            (second.most(12), words),
            (12, None),
            "what was proven is not doubted"
        );
        second.begin(Pass::Trained, 12, 300);
        drop(second);
        let (whole, words) = kept(MicroBatch::Whole);
        assert_eq!(whole.most(12), 12);
        assert!(words.unwrap().contains("micro_batch: auto"));
        let (mut third, _) = kept(MicroBatch::Auto);
        third.begin(Pass::Trained, 12, 300);
        drop(third);
        let (mut fourth, words) = kept(MicroBatch::Auto);
        assert_eq!(fourth.most(12), 6);
        assert!(words.unwrap().contains("12 sequences"));
        // What was found out by an error lasts too.
        let full = ModelError::input("out of memory", "");
        fourth.begin(Pass::Trained, 6, 150);
        assert_eq!(fourth.shrink(6, &full).unwrap(), 3);
        let (fifth, words) = kept(MicroBatch::Auto);
        assert_eq!((fifth.most(12), words), (3, None));
    }
}
