//! Any decoder as a runner, on libtorch: for GPUs, and for decoders that there are no kernels for.
//!
//! Texts that read one token go through the model together, as far as they have the same adapter; each keeps its keys and
//! values in a row of the cache.

use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};

use super::{Opened, Piece, Room, Runner, Slot, slots::Slots};
use crate::{
    ModelError,
    nn::{Adapter, Attend, Decoder, KvCache, Step},
};

/// So many adapters stay loaded.
const ADAPTERS: usize = 16;

/// A decoder on libtorch.
pub struct Libtorch {
    decoder: Decoder,
    sequences: Slots<Sequence>,
    cache: KvCache,
    adapters: Vec<(PathBuf, Adapter)>,
    attached: Option<PathBuf>,
    positions: usize,
}

struct Sequence {
    length: i64,
    most: usize,
    adapter: Option<PathBuf>,
}

impl Libtorch {
    /// With room for keys and values of so many positions: rows of the cache times the longest text's.
    #[must_use]
    pub fn new(decoder: Decoder, positions: usize) -> Self {
        Self {
            decoder,
            sequences: Slots::default(),
            cache: KvCache::rows(),
            adapters: Vec::new(),
            attached: None,
            positions,
        }
    }

    /// Rows of the cache that are in use, free ones between them counted, and positions of the longest text.
    fn extent(&self) -> (usize, usize) {
        let mut longest = 0;
        self.sequences
            .each(|sequence| longest = longest.max(sequence.most));
        (self.sequences.extent(), longest)
    }

    /// The same rows with one more text in them, and positions of the longest that is there.
    fn with_another(&self) -> (usize, usize) {
        let (rows, longest) = self.extent();
        (rows.max(self.sequences.next() + 1), longest)
    }

    fn attach(&mut self, dir: Option<&Path>) -> Result<(), ModelError> {
        if self.attached.as_deref() == dir {
            return Ok(());
        }
        self.decoder.detach();
        self.attached = None;
        if let Some(dir) = dir {
            let (_, adapter) = self
                .adapters
                .iter()
                .find(|(held, _)| held == dir)
                .ok_or_else(lost)?;
            self.decoder.attach(adapter)?;
            self.attached = Some(dir.to_owned());
        }
        Ok(())
    }

    fn keep(&mut self, dir: &Path) -> Result<(), ModelError> {
        if self.adapters.iter().any(|(held, _)| held == dir) {
            return Ok(());
        }
        let adapter = Adapter::load(dir, self.decoder.device())?;
        let mut in_use = Vec::new();
        self.sequences
            .each(|sequence| in_use.extend(sequence.adapter.clone()));
        if self.adapters.len() >= ADAPTERS
            && let Some(at) = self.adapters.iter().position(|(held, _)| !in_use.contains(held))
        {
            self.adapters.remove(at);
        }
        // Fits or fails now, not in a step beside others.
        self.adapters.push((dir.to_owned(), adapter));
        self.attach(Some(dir)).inspect_err(|_| drop(self.adapters.pop()))
    }

    /// Reads pieces of equal length of texts with the same adapter; their logits `[texts, vocabulary]`.
    fn read(&mut self, pieces: &[Piece<'_>]) -> Result<Tensor, ModelError> {
        let device = self.decoder.device();
        let width = pieces.first().map_or(0, |piece| piece.tokens.len()) as i64;
        let (mut ids, mut slots, mut rows, mut total) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for piece in pieces {
            let sequence = self.sequences.get(piece.slot).ok_or_else(lost)?;
            ids.extend(piece.tokens.iter().map(|&id| i64::from(id)));
            slots.extend(sequence.length..sequence.length + width);
            rows.push(piece.slot as i64);
            total = total.max(sequence.length + width);
        }
        let shaped = |values: &[i64]| -> Result<Tensor, ModelError> {
            Ok(Tensor::f_from_slice(values)?
                .f_view([-1, width])?
                .f_to_device(device)?)
        };
        let (ids, slots) = (shaped(&ids)?, shaped(&slots)?);
        self.cache.aim(&rows, &slots, total)?;
        let step = Step {
            cache: Some(&mut self.cache),
            positions: Some(&slots),
            attend: Attend::Slots { slots: &slots, total },
        };
        let hidden = self.decoder.hidden(&ids, step)?;
        let logits = self.decoder.logits(&hidden.f_select(1, -1)?)?;
        for piece in pieces {
            if let Some(sequence) = self.sequences.get_mut(piece.slot) {
                sequence.length += width;
            }
        }
        Ok(logits.f_to_kind(Kind::Float)?.f_to_device(Device::Cpu)?)
    }
}

impl Runner for Libtorch {
    fn vocabulary(&self) -> usize {
        usize::try_from(self.decoder.architecture().vocabulary).unwrap_or_default()
    }

    fn context(&self) -> usize {
        usize::try_from(self.decoder.architecture().max_positions).unwrap_or(usize::MAX)
    }

    fn open(&mut self, _: &[u32], most: usize, adapter: Option<&Path>) -> Result<Option<Opened>, ModelError> {
        if most > self.positions {
            return Err(ModelError::input(
                format!(
                    "the text may need {most} positions, there is room for {} in all",
                    self.positions
                ),
                "Ask for fewer new tokens, or give more memory to keys and values.",
            ));
        }
        let (rows, longest) = self.with_another();
        let longest = longest.max(most);
        // Every row of the cache has the length of the longest.
        if rows.saturating_mul(longest) > self.positions {
            return Ok(None);
        }
        if let Some(dir) = adapter {
            self.keep(dir)?;
        }
        self.cache.plan(rows as i64, longest as i64);
        let slot = self.sequences.put(Sequence {
            length: 0,
            most,
            adapter: adapter.map(Path::to_owned),
        });
        Ok(Some(Opened { slot, known: 0 }))
    }

    fn step(&mut self, pieces: &[Piece<'_>]) -> Result<Vec<f32>, ModelError> {
        let vocabulary = self.vocabulary();
        let mut found: Vec<Option<Vec<f32>>> = pieces.iter().map(|_| None).collect();
        let mut left: Vec<usize> = (0..pieces.len()).collect();
        while let Some(&first) = left.first() {
            let like = |at: usize| {
                let piece = pieces.get(at)?;
                let adapter = self.sequences.get(piece.slot)?.adapter.clone();
                Some((adapter, piece.tokens.len()))
            };
            let key = like(first).ok_or_else(lost)?;
            let (mut group, rest): (Vec<usize>, Vec<usize>) =
                left.iter().partition(|at| like(**at).as_ref() == Some(&key));
            left = rest;
            // In the order of the cache's rows, which then need not be gathered where none is left out.
            group.sort_by_key(|at| pieces.get(*at).map(|piece| piece.slot));
            self.attach(key.0.as_deref())?;
            let members: Vec<Piece<'_>> = group.iter().filter_map(|at| pieces.get(*at).copied()).collect();
            let logits = self.read(&members)?;
            let mut values = vec![0_f32; logits.numel()];
            let count = values.len();
            logits.f_contiguous()?.f_copy_data(&mut values, count)?;
            for (at, row) in group.iter().zip(values.chunks_exact(vocabulary.max(1))) {
                if let (Some(place), Some(true)) =
                    (found.get_mut(*at), pieces.get(*at).map(|piece| piece.wanted))
                {
                    *place = Some(row.to_vec());
                }
            }
        }
        Ok(found.into_iter().flatten().flatten().collect())
    }

    fn close(&mut self, slot: Slot) {
        self.sequences.take(slot);
        // Also after a step for which there was no memory: it fails for all.
        if self.extent().0 == 0 {
            self.cache.clear();
        }
    }

    fn room(&self) -> Room {
        let (rows, longest) = self.with_another();
        // A longer text makes every row longer.
        let free = self.positions / rows;
        Room {
            positions: self.positions,
            free_positions: if free < longest { 0 } else { free },
            bytes: self.cache.bytes(),
            adapters: self.adapters.len(),
        }
    }
}

fn lost() -> ModelError {
    ModelError::input(
        "a sequence was let go before its step",
        "Report this with the request.",
    )
}
