//! The CPU kernels as a runner.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tch::Device;
use twinloom_kernels::{Adapter as Packed, Cores, Decoder as Kernels, Format, Kept, Pages, Row, Step, Table};

use super::{Opened, Piece, Room, Runner, Slot, slots::Slots};
use crate::{
    ModelError,
    generate::packed::{pack, pack_adapter},
    nn::{Adapter, Architecture, Decoder, packing::broken},
};

/// So many adapters stay loaded; the one that was not used for longest goes first.
const ADAPTERS: usize = 16;

/// How the kernels run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NativeOptions {
    /// How weights are held.
    pub format: Format,
    /// Bytes for keys and values.
    pub cache_bytes: usize,
    /// Threads of a step.
    pub threads: usize,
}

impl NativeOptions {
    /// With weights held like this, a gigabyte for keys and values, and all cores.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            cache_bytes: 1 << 30,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// A decoder on the CPU kernels.
pub struct Native {
    architecture: Architecture,
    decoder: Kernels,
    cores: Cores,
    pages: Pages,
    sequences: Slots<Sequence>,
    /// The last used comes last. The number tells apart what was read with each.
    adapters: Vec<(PathBuf, u64, Arc<Packed>)>,
    loaded: u64,
}

struct Sequence {
    table: Table,
    adapter: Option<Arc<Packed>>,
}

impl Native {
    /// Packs a decoder; it is not needed any more after that.
    ///
    /// # Errors
    /// `model.input` for a decoder that there are no kernels for.
    pub fn new(decoder: &Decoder, options: NativeOptions) -> Result<Self, ModelError> {
        let packed = pack(decoder, options.format)?;
        let kept = match options.format {
            Format::F32 => Kept::F32,
            _ => Kept::Bf16,
        };
        Ok(Self {
            architecture: decoder.architecture().clone(),
            cores: Cores::new(options.threads),
            pages: packed.pages(kept, options.cache_bytes),
            decoder: packed,
            sequences: Slots::default(),
            adapters: Vec::new(),
            loaded: 0,
        })
    }

    /// Bytes that a step of one token reads, and bytes a second that these cores read from memory.
    ///
    /// # Errors
    /// `model.busy` without memory to measure with.
    pub fn limit(&self) -> Result<(f64, f64), ModelError> {
        let bandwidth = twinloom_kernels::read_bandwidth(&self.cores).map_err(broken)?;
        Ok((self.decoder.bytes() as f64, bandwidth))
    }

    fn adapter(&mut self, dir: &Path) -> Result<(u64, Arc<Packed>), ModelError> {
        let held = match self.adapters.iter().position(|(held, _, _)| held == dir) {
            Some(at) => self.adapters.remove(at),
            None => {
                let adapter = Adapter::load(dir, Device::Cpu)?;
                let packed = pack_adapter(&self.architecture, &self.decoder, &adapter)?;
                if self.adapters.len() >= ADAPTERS {
                    self.adapters.remove(0);
                }
                self.loaded += 1;
                (dir.to_owned(), self.loaded, Arc::new(packed))
            }
        };
        let found = (held.1, Arc::clone(&held.2));
        self.adapters.push(held);
        Ok(found)
    }
}

impl Runner for Native {
    fn vocabulary(&self) -> usize {
        self.decoder.vocabulary()
    }

    fn context(&self) -> usize {
        usize::try_from(self.architecture.max_positions).unwrap_or(usize::MAX)
    }

    fn open(
        &mut self,
        tokens: &[u32],
        most: usize,
        adapter: Option<&Path>,
    ) -> Result<Option<Opened>, ModelError> {
        if most > self.pages.capacity() {
            return Err(ModelError::input(
                format!(
                    "the text may need {most} positions, there is room for {} in all",
                    self.pages.capacity()
                ),
                "Ask for fewer new tokens, or give more memory to keys and values.",
            ));
        }
        let (salt, adapter) = match adapter {
            Some(dir) => self.adapter(dir).map(|(salt, adapter)| (salt, Some(adapter)))?,
            None => (0, None),
        };
        let mut table = self.pages.open(tokens, salt);
        // All at once: a sequence that was let in never has to wait for room.
        if let Err(problem) = self.pages.reserve(&mut table, most) {
            self.pages.close(table);
            return match problem {
                twinloom_kernels::KernelError::Full => Ok(None),
                other => Err(broken(other)),
            };
        }
        let known = table.len();
        let slot = self.sequences.put(Sequence { table, adapter });
        Ok(Some(Opened { slot, known }))
    }

    fn step(&mut self, pieces: &[Piece<'_>]) -> Result<Vec<f32>, ModelError> {
        let sequences = pieces
            .iter()
            .map(|piece| self.sequences.get(piece.slot).ok_or_else(unknown))
            .collect::<Result<Vec<_>, _>>()?;
        let mut rows = Vec::new();
        for (index, (piece, sequence)) in pieces.iter().zip(&sequences).enumerate() {
            let (past, count) = (sequence.table.len(), piece.tokens.len());
            rows.extend(piece.tokens.iter().enumerate().map(|(at, &token)| Row {
                token,
                position: past + at,
                sequence: index,
                wanted: piece.wanted && at + 1 == count,
            }));
        }
        let tables: Vec<&Table> = sequences.iter().map(|sequence| &sequence.table).collect();
        let adapters: Vec<Option<&Packed>> = sequences
            .iter()
            .map(|sequence| sequence.adapter.as_deref())
            .collect();
        let step = Step {
            rows: &rows,
            tables: &tables,
            adapters: &adapters,
        };
        let logits = self.decoder.step(&self.cores, &mut self.pages, &step);
        for piece in pieces {
            if let Some(sequence) = self.sequences.get_mut(piece.slot) {
                self.pages.advance(&mut sequence.table, piece.tokens);
            }
        }
        Ok(logits)
    }

    fn close(&mut self, slot: Slot) {
        if let Some(sequence) = self.sequences.take(slot) {
            self.pages.close(sequence.table);
        }
    }

    fn room(&self) -> Room {
        Room {
            positions: self.pages.capacity(),
            free_positions: self.pages.available() * twinloom_kernels::PAGE,
            bytes: self.pages.bytes(),
            adapters: self.adapters.len(),
        }
    }
}

fn unknown() -> ModelError {
    ModelError::input(
        "a sequence was let go before its step",
        "Report this with the request.",
    )
}
