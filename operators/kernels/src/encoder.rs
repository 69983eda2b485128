//! BERT-type encoders: every token of a text looks at all of its text; norms come after the sums.
//!
//! A layer is two parallel steps. One is attention, by text and head. The other takes blocks of rows through all that
//! follows, up to the next layer's queries, keys and values: a block's states stay in the cache of its core, and nobody
//! waits for others in between. Where there are too few rows for a block a core, the cores share its products instead.

mod attention;

#[cfg(test)]
mod tests;

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use crate::{
    Activation, Cores, Format, Level, Linear, Norm,
    decoder::norm_row,
    linear::{Form, Sink, Source, TILE},
};
use attention::Shape;

/// Rows of a block, at most; with the net's inner states they fit the second cache.
const BLOCK: usize = 96;
/// Rows a core below which cores share the products of one block.
const FEW: usize = 24;

/// A block of an encoder.
pub struct EncoderLayer {
    /// Queries, keys and values in one.
    pub qkv: Linear,
    /// The attention's output.
    pub output: Linear,
    /// After attention and sum.
    pub attention_norm: Norm,
    /// Into the feed-forward net.
    pub up: Linear,
    /// The function in it.
    pub activation: Activation,
    /// Out of it.
    pub down: Linear,
    /// After net and sum.
    pub feed_norm: Norm,
}

/// An encoder's blocks; embeddings and what is made of hidden states are its owner's.
pub struct Encoder {
    /// The blocks.
    pub layers: Vec<EncoderLayer>,
    /// Heads of attention; divides the width.
    pub heads: usize,
    /// Width of hidden states.
    pub hidden: usize,
}

/// Runs a function on all of so many parts, piece by piece.
type Spread<'a> = dyn Fn(usize, &(dyn Fn(Range<usize>) + Sync)) + Sync + 'a;

/// Room that a thread works in.
#[derive(Default)]
struct Scratch {
    /// Rows for products of reduced weights.
    words: Vec<u32>,
    /// The net's inner states.
    inner: Vec<u32>,
    row: Vec<f32>,
    attention: attention::Scratch,
}

/// Room that nobody works in now.
#[derive(Default)]
struct Pool(Mutex<Vec<Scratch>>);

impl Pool {
    fn with(&self, work: impl FnOnce(&mut Scratch)) {
        let free = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = free().pop().unwrap_or_default();
        work(&mut scratch);
        free().push(scratch);
    }
}

/// Rows of a block: parts of what all have.
struct Rows<'a> {
    x: &'a mut [f32],
    attended: &'a [f32],
    qkv: &'a mut [u32],
}

impl Encoder {
    /// Hidden states `[tokens, hidden]` of texts laid end to end, of these lengths, to those after the last block.
    pub fn forward(&self, cores: &Cores, x: &mut [f32], lengths: &[usize]) {
        let (hidden, tokens) = (self.hidden, x.len() / self.hidden.max(1));
        assert_eq!(lengths.iter().sum::<usize>(), tokens, "texts of other lengths");
        assert!(self.fits(), "layers of other sizes");
        let shape = self.shape(cores.level());
        let mut qkv = vec![0_u32; tokens * shape.width()];
        let mut attended = vec![0.0_f32; tokens * hidden];
        let pool = Pool::default();
        // Before the first layer there are only its queries, keys and values to be made.
        for next in 0..=self.layers.len() {
            let layer = next.checked_sub(1).and_then(|index| self.layers.get(index));
            if layer.is_some() {
                attend(cores, shape, &qkv, lengths, &pool, &mut attended);
            }
            let link = Link {
                layer,
                next: self.layers.get(next),
                shape,
            };
            link.forward(cores, &pool, x, &attended, &mut qkv);
        }
    }

    fn fits(&self) -> bool {
        let is = |linear: &Linear, outputs: usize, inputs: usize| {
            (linear.weight.outputs(), linear.weight.inputs()) == (outputs, inputs)
        };
        let (hidden, heads) = (self.hidden, self.heads);
        let layer = |layer: &EncoderLayer| {
            let inner = layer.up.weight.outputs();
            is(&layer.qkv, 3 * hidden, hidden)
                && is(&layer.output, hidden, hidden)
                && is(&layer.up, inner, hidden)
                && is(&layer.down, hidden, inner)
        };
        heads > 0 && hidden > 0 && hidden.is_multiple_of(heads) && self.layers.iter().all(layer)
    }

    /// Reduced weights are not worth exact products of queries and keys.
    fn shape(&self, level: Level) -> Shape {
        let dim = self.hidden / self.heads.max(1);
        let reduced = |layer: &EncoderLayer| layer.qkv.weight.format != Format::F32;
        Shape {
            heads: self.heads,
            dim,
            half: level >= Level::Avx512Bf16 && dim.is_multiple_of(2) && self.layers.iter().all(reduced),
        }
    }
}

/// Attention of all texts, by text and head.
fn attend(cores: &Cores, shape: Shape, qkv: &[u32], lengths: &[usize], pool: &Pool, out: &mut [f32]) {
    struct Out(*mut f32);
    // SAFETY: parts write to disjoint places: a text's rows, a head's columns.
    unsafe impl Sync for Out {}
    let texts: Vec<Range<usize>> = lengths
        .iter()
        .scan(0, |next, length| {
            *next += length;
            Some(*next - length..*next)
        })
        .collect();
    assert!(
        out.len() * shape.width() >= qkv.len() * shape.heads * shape.dim,
        "rows of another size"
    );
    let shared = Out(out.as_mut_ptr());
    cores.run(texts.len() * shape.heads, &|part| {
        let shared = &shared;
        let (text, head) = (part / shape.heads, part % shape.heads);
        let width = shape.width();
        let rows = texts
            .get(text)
            .and_then(|rows| Some((rows.start, qkv.get(rows.start * width..rows.end * width)?)));
        let Some((start, rows)) = rows else {
            return;
        };
        pool.with(|scratch| {
            // SAFETY: `out` has a row for each token; see above.
            unsafe {
                let out = shared.0.add(start * shape.heads * shape.dim + head * shape.dim);
                attention::attend(cores.level(), shape, rows, head, &mut scratch.attention, out);
            }
        });
    });
}

/// What lies between the attention of a layer and that of the next.
#[derive(Clone, Copy)]
struct Link<'a> {
    layer: Option<&'a EncoderLayer>,
    next: Option<&'a EncoderLayer>,
    shape: Shape,
}

impl Link<'_> {
    fn forward(self, cores: &Cores, pool: &Pool, x: &mut [f32], attended: &[f32], qkv: &mut [u32]) {
        let (hidden, width) = (self.shape.heads * self.shape.dim, self.shape.width());
        let (tokens, threads) = (x.len() / hidden, cores.threads());
        if tokens < threads * FEW {
            let rows = Rows { x, attended, qkv };
            let share: &Spread<'_> = &|parts, work| cores.run(parts, &|part| work(part..part + 1));
            return pool.with(|scratch| self.rows(cores, share, rows, scratch));
        }
        let count = tokens.div_ceil(BLOCK).next_multiple_of(threads);
        let block = tokens.div_ceil(count).next_multiple_of(TILE);
        let blocks = x.chunks_mut(block * hidden).zip(attended.chunks(block * hidden));
        let blocks = blocks.zip(qkv.chunks_mut(block * width));
        let blocks: Vec<_> = blocks
            .map(|((x, attended), qkv)| Mutex::new(Some(Rows { x, attended, qkv })))
            .collect();
        cores.run(blocks.len(), &|part| {
            let rows = blocks.get(part).and_then(|rows| rows.lock().ok()?.take());
            if let Some(rows) = rows {
                pool.with(|scratch| self.rows(cores, &|parts, work| work(0..parts), rows, scratch));
            }
        });
    }

    fn rows(self, cores: &Cores, spread: &Spread<'_>, rows: Rows<'_>, scratch: &mut Scratch) {
        let Rows { x, attended, qkv } = rows;
        let (hidden, level) = (self.shape.heads * self.shape.dim, cores.level());
        let count = x.len() / hidden;
        let Scratch {
            words, inner, row, ..
        } = scratch;
        let into_x = |x: &mut [f32]| Sink {
            at: x.as_mut_ptr().cast(),
            stride: hidden,
            form: Form::Add,
            activation: None,
        };
        if let Some(layer) = self.layer {
            let source = layer.output.source(level, attended, count, words);
            product(level, spread, &layer.output, count, source, into_x(x));
            norms(cores, &layer.attention_norm, x, row);
            let pairs = layer.down.weight.format == Format::Bf16;
            inner.resize(count * layer.down.words(), 0);
            let sink = Sink {
                at: inner.as_mut_ptr(),
                stride: layer.down.words(),
                form: if pairs { Form::Pairs } else { Form::Write },
                activation: Some(layer.activation),
            };
            let source = layer.up.source(level, x, count, words);
            product(level, spread, &layer.up, count, source, sink);
            let source = Source {
                words: inner,
                stride: layer.down.words(),
            };
            product(level, spread, &layer.down, count, source, into_x(x));
            norms(cores, &layer.feed_norm, x, row);
        }
        if let Some(next) = self.next {
            let sink = Sink {
                at: qkv.as_mut_ptr(),
                stride: self.shape.width(),
                form: if self.shape.half { Form::Pairs } else { Form::Write },
                activation: None,
            };
            let source = next.qkv.source(level, x, count, words);
            product(level, spread, &next.qkv, count, source, sink);
        }
    }
}

/// All outputs for some rows; the sizes were asked about by [`Encoder::fits`], the sink is the caller's own.
fn product(level: Level, spread: &Spread<'_>, linear: &Linear, rows: usize, source: Source<'_>, sink: Sink) {
    spread(linear.weight.panels(), &|panels| {
        // SAFETY: the sink is a block's own, each part has its own panels, and sizes are those of the encoder.
        unsafe { linear.panels(level, panels, 0..rows, source, sink) };
    });
}

fn norms(cores: &Cores, norm: &Norm, x: &mut [f32], own: &mut Vec<f32>) {
    let width = match norm {
        Norm::Rms { weight, .. } | Norm::Layer { weight, .. } => weight.len(),
    };
    for row in x.chunks_exact_mut(width.max(1)) {
        own.clear();
        own.extend_from_slice(row);
        norm_row(cores, norm, own, row);
    }
}
