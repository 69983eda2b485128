//! Products of rows with packed weights.
//!
//! Each output of each row is one chain of sums over the inputs in order, however many rows there are: a row's result does
//! not depend on its neighbours.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod plain;
mod sink;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use sink::{Form, Sink, Source, bits};

use crate::{
    Cores, Level, math,
    memory::ask,
    packed::{Format, PANEL, Packed},
};

/// Rows that are worked on while a panel is in the cache nearest to a core.
const ROWS: usize = 96;

/// Bytes of weights that a thread takes at a time, about, where rows are few.
const PIECE: usize = 256 << 10;

/// Bytes ahead of the reading that are asked for: the hardware's own prefetch ends at pages, and a core alone is to read
/// as fast as it can.
const AHEAD: usize = 8192;

/// A linear layer: packed weights and a bias.
pub struct Linear {
    /// The weights.
    pub weight: Packed,
    /// One value an output.
    pub bias: Option<Vec<f32>>,
}

/// A tile: some rows times one panel.
#[derive(Clone, Copy)]
pub(crate) struct Tile {
    pub weights: *const u8,
    /// `[group][PANEL]`.
    pub scales: *const f32,
    pub inputs: usize,
    pub group: usize,
    /// fp32 rows, or rows of bf16 pairs for bf16 weights.
    pub x: *const u32,
    /// 32-bit words from one row of `x` to the next.
    pub stride: usize,
    /// `[rows][PANEL]`, written.
    pub out: *mut f32,
    /// Numbers from one row of `out` to the next.
    pub out_stride: usize,
}

/// Rows of the largest tile.
pub(crate) const TILE: usize = 12;

impl Linear {
    /// `y = x W^T + b` for rows `[rows, inputs]`; with `sum`, added to what `y` holds.
    pub fn forward(&self, cores: &Cores, x: &[f32], rows: usize, y: &mut [f32], sum: bool) {
        let (inputs, outputs) = (self.weight.inputs, self.weight.outputs);
        assert!(
            x.len() >= rows * inputs && y.len() >= rows * outputs,
            "rows of another layer"
        );
        let mut words = Vec::new();
        let source = self.source(cores.level(), x, rows, &mut words);
        let sink = Sink {
            at: y.as_mut_ptr().cast(),
            stride: outputs,
            form: if sum { Form::Add } else { Form::Write },
            activation: None,
        };
        let (panels, splits) = (self.weight.panels(), rows.div_ceil(ROWS));
        let groups = if splits > 1 {
            panels
        } else {
            // Few rows wait for weights: a thread reads on where it is instead of starting anew at each panel.
            let pieces = (panels * self.weight.panel_bytes()).div_ceil(PIECE);
            pieces.next_multiple_of(cores.threads()).min(panels)
        };
        cores.run(groups * splits, &|part| {
            let (group, first) = (part / splits, part % splits * ROWS);
            let panels = group * panels / groups..(group + 1) * panels / groups;
            let rows = first..(first + ROWS).min(rows);
            if splits == 1 {
                let start = panels.start * self.weight.panel_bytes();
                ask(self
                    .weight
                    .data
                    .slice::<u8>()
                    .get(start..start + AHEAD)
                    .unwrap_or_default());
            }
            // SAFETY: the size of `y` was asserted; a part writes the columns of its panels in its rows only.
            unsafe { self.panels(cores.level(), panels, rows, source, sink) }
        });
    }

    /// Rows as this layer's tiles read them; `words` is room for that.
    pub(crate) fn source<'a>(
        &self,
        level: Level,
        x: &'a [f32],
        rows: usize,
        words: &'a mut Vec<u32>,
    ) -> Source<'a> {
        let inputs = self.weight.inputs;
        let stride = self.words();
        if self.weight.format != Format::Bf16 {
            return Source {
                words: bits(x),
                stride,
            };
        }
        words.resize(rows * stride, 0);
        for (row, out) in x.chunks_exact(inputs).zip(words.chunks_exact_mut(stride)) {
            math::pairs(level, row, out);
        }
        Source { words, stride }
    }

    /// 32-bit words of a row of inputs.
    pub(crate) fn words(&self) -> usize {
        match self.weight.format {
            Format::Bf16 => self.weight.inputs.div_ceil(2),
            _ => self.weight.inputs,
        }
    }

    /// Some panels of outputs for some rows, on this thread.
    ///
    /// # Safety
    /// The sink has to have these rows of this layer's outputs, and nobody else may use the panels' columns of them.
    pub(crate) unsafe fn panels(
        &self,
        level: Level,
        panels: Range<usize>,
        rows: Range<usize>,
        source: Source<'_>,
        sink: Sink,
    ) {
        assert!(
            source.stride >= self.words()
                && source.words.len() >= rows.end * source.stride
                && panels.end <= self.weight.panels(),
            "rows of another layer"
        );
        for panel in panels {
            // SAFETY: the caller's promise.
            unsafe { self.panel(level, panel, rows.clone(), source, sink) };
        }
    }

    unsafe fn panel(&self, level: Level, panel: usize, rows: Range<usize>, source: Source<'_>, sink: Sink) {
        let mut out = [[0.0_f32; PANEL]; TILE];
        let groups = self.weight.inputs.div_ceil(self.weight.group());
        let width = PANEL.min(self.weight.outputs - panel * PANEL);
        let bias = self
            .bias
            .as_deref()
            .and_then(|bias| bias.get(panel * PANEL..panel * PANEL + width));
        let mut row = rows.start;
        while row < rows.end {
            // SAFETY: inside the packed data; `row` is below the caller's end.
            let tile = unsafe {
                Tile {
                    weights: self.weight.data.as_ptr().add(panel * self.weight.panel_bytes()),
                    scales: if self.weight.scales.is_empty() {
                        std::ptr::null()
                    } else {
                        self.weight.scales.as_ptr().add(panel * groups * PANEL)
                    },
                    inputs: self.weight.inputs,
                    group: self.weight.group(),
                    x: source.words.as_ptr().add(row * source.stride),
                    stride: source.stride,
                    out: out.as_mut_ptr().cast(),
                    out_stride: PANEL,
                }
            };
            // SAFETY: the tile's rows exist, `out` has room for the largest tile; the sink is the caller's promise.
            row += unsafe {
                let done = run(level, self.weight.format, tile, rows.end - row);
                let values = out.get(..done).unwrap_or_default();
                sink::finish(level, values, width, bias, sink.from(row, panel));
                done
            };
        }
    }
}

/// Runs the largest tile that fits the rows left, and says how many it did.
///
/// # Safety
/// The tile's inputs, weights and `out` have to hold as many rows and a panel.
pub(crate) unsafe fn run(level: Level, format: Format, tile: Tile, rows: usize) -> usize {
    // SAFETY: the caller's promise, and a level is what the machine has.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if level >= Level::Avx512 {
            return avx512::run(level, format, tile, rows);
        }
        plain::run(level, format, tile, rows)
    }
}
