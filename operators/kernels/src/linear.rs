//! Products of rows with packed weights.
//!
//! Each output of each row is one chain of sums over the inputs in order, however many rows there are: a row's result does
//! not depend on its neighbours.

#[cfg(target_arch = "x86_64")]
mod avx512;
mod plain;

#[cfg(test)]
mod tests;

use crate::{
    Cores, Level, math,
    packed::{Format, PANEL, Packed},
};

/// Rows that are worked on while a panel is in the cache nearest to a core.
const ROWS: usize = 96;

/// A linear layer: packed weights and a bias.
pub struct Linear {
    /// The weights.
    pub weight: Packed,
    /// One value an output.
    pub bias: Option<Vec<f32>>,
}

/// A tile: some rows times one panel.
#[derive(Clone, Copy)]
struct Tile {
    weights: *const u8,
    /// `[group][PANEL]`.
    scales: *const f32,
    inputs: usize,
    group: usize,
    /// fp32 rows, or rows of bf16 pairs for bf16 weights.
    x: *const u32,
    /// 32-bit words from one row of `x` to the next.
    stride: usize,
    /// `[rows][PANEL]`, written.
    out: *mut f32,
}

#[derive(Clone, Copy)]
struct Shared<T>(T);
// SAFETY: parts of a step write to disjoint columns, and the step ends before the borrow does.
unsafe impl<T> Sync for Shared<T> {}

impl Linear {
    /// `y = x W^T + b` for rows `[rows, inputs]`; with `sum`, added to what `y` holds.
    pub fn forward(&self, cores: &Cores, x: &[f32], rows: usize, y: &mut [f32], sum: bool) {
        let (inputs, outputs) = (self.weight.inputs, self.weight.outputs);
        assert!(
            x.len() >= rows * inputs && y.len() >= rows * outputs,
            "rows of another layer"
        );
        let mut pairs = Vec::new();
        let (words, stride): (*const u32, usize) = if self.weight.format == Format::Bf16 {
            let width = inputs.div_ceil(2);
            pairs.resize(rows * width, 0);
            for (row, out) in x.chunks_exact(inputs).zip(pairs.chunks_exact_mut(width)) {
                math::pairs(cores.level(), row, out);
            }
            (pairs.as_ptr(), width)
        } else {
            (x.as_ptr().cast(), inputs)
        };
        let (panels, splits) = (self.weight.panels(), rows.div_ceil(ROWS));
        let (words, out) = (Shared(words), Shared(y.as_mut_ptr()));
        cores.run(panels * splits, &|part| {
            let (words, out) = (words, out);
            let (panel, first) = (part / splits, part % splits * ROWS);
            let last = (first + ROWS).min(rows);
            // SAFETY: the sizes were asserted; a part writes the columns of its panel in its rows only.
            unsafe { self.panel(cores.level(), panel, first..last, (words.0, stride), out.0, sum) }
        });
    }

    /// One panel of outputs for some rows.
    ///
    /// # Safety
    /// `x` and `y` have to hold these rows, and nobody else may use these columns of `y`.
    unsafe fn panel(
        &self,
        level: Level,
        panel: usize,
        rows: std::ops::Range<usize>,
        (x, stride): (*const u32, usize),
        y: *mut f32,
        sum: bool,
    ) {
        let mut out = [0.0_f32; 12 * PANEL];
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
                    x: x.add(row * stride),
                    stride,
                    out: out.as_mut_ptr(),
                }
            };
            // SAFETY: the tile's rows exist, `out` has room for the largest tile.
            let done = unsafe { run(level, self.weight.format, tile, rows.end - row) };
            for (index, values) in out.as_chunks::<PANEL>().0.iter().take(done).enumerate() {
                // SAFETY: these columns are this part's own.
                let y = unsafe {
                    std::slice::from_raw_parts_mut(
                        y.add((row + index) * self.weight.outputs + panel * PANEL),
                        width,
                    )
                };
                for (column, (y, value)) in y.iter_mut().zip(values).enumerate() {
                    let value = value + bias.and_then(|bias| bias.get(column)).unwrap_or(&0.0);
                    *y = if sum { *y + value } else { value };
                }
            }
            row += done;
        }
    }
}

/// Runs the largest tile that fits the rows left, and says how many it did.
unsafe fn run(level: Level, format: Format, tile: Tile, rows: usize) -> usize {
    // SAFETY: the caller's promise, and a level is what the machine has.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if level >= Level::Avx512 {
            return avx512::run(level, format, tile, rows);
        }
        plain::run(level, format, tile, rows)
    }
}
