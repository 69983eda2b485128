//! A step: rows of any sequences through all blocks.

use super::{Activation, Block, Decoder, Feed, Norm, Positions};
use crate::{
    Adapter, Cores, Pages, Table, Target,
    attention::{self, Look},
    lora, math,
};

/// A token of a step. Rows of one sequence come in the order of their positions.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The token.
    pub token: u32,
    /// Its position in the sequence.
    pub position: usize,
    /// The sequence, as an index into [`Step::tables`].
    pub sequence: usize,
    /// Whether its logits are wanted.
    pub wanted: bool,
}

/// What a step works on.
pub struct Step<'a> {
    /// The tokens to read.
    pub rows: &'a [Row],
    /// The sequences' pages, with room for all rows.
    pub tables: &'a [&'a Table],
    /// The sequences' adapters.
    pub adapters: &'a [Option<&'a Adapter>],
}

/// What all blocks of a step share.
struct Pass<'a> {
    cores: &'a Cores,
    places: Vec<(&'a Table, usize)>,
    adapters: Vec<Option<&'a Adapter>>,
    turns: Turns,
    normed: Vec<f32>,
    /// What is added to the residual stream behind a norm of its own.
    beside: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    inner: Vec<f32>,
}

impl Decoder {
    /// Reads rows: writes their keys and values, and gives the logits `[wanted rows, vocabulary]`.
    pub fn step(&self, cores: &Cores, pages: &mut Pages, step: &Step<'_>) -> Vec<f32> {
        let (spec, rows) = (&self.spec, step.rows.len());
        let wide = spec.heads * spec.head_dim;
        let place = |row: &Row| Some((*step.tables.get(row.sequence)?, row.position));
        let mut pass = Pass {
            cores,
            places: step.rows.iter().filter_map(place).collect(),
            adapters: step
                .rows
                .iter()
                .map(|row| step.adapters.get(row.sequence).copied().flatten())
                .collect(),
            turns: Turns::new(&spec.positions, step.rows),
            normed: vec![0.0; rows * spec.hidden],
            beside: vec![0.0; rows * spec.hidden],
            qkv: vec![0.0; rows * (wide + 2 * spec.kv_heads * spec.head_dim)],
            attended: vec![0.0; rows * wide],
            inner: Vec::new(),
        };
        assert_eq!(pass.places.len(), rows, "a row of no sequence");
        let mut x = self.embed(step.rows);
        for (index, block) in self.blocks.iter().enumerate() {
            self.attention(&mut pass, pages, (index, block), &mut x);
            norm_rows(cores, &block.feed_norm, &x, &mut pass.normed);
            let direct = block.feed_out_norm.is_none() && !multiplies(&pass.adapters, index, Target::Down);
            let out = if direct { &mut x } else { &mut pass.beside };
            feed(
                cores,
                &block.feed,
                (&pass.adapters, index),
                &pass.normed,
                &mut pass.inner,
                out,
                direct,
            );
            join(&mut pass, block.feed_out_norm.as_ref(), &mut x, direct);
        }
        self.logits(cores, step.rows, &x)
    }

    fn attention(
        &self,
        pass: &mut Pass<'_>,
        pages: &mut Pages,
        (index, block): (usize, &Block),
        x: &mut [f32],
    ) {
        let (spec, cores, rows) = (&self.spec, pass.cores, pass.places.len());
        let (wide, narrow) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
        let width = wide + 2 * narrow;
        norm_rows(cores, &block.attention_norm, x, &mut pass.normed);
        block.qkv.forward(cores, &pass.normed, rows, &mut pass.qkv, false);
        for (target, offset) in [
            (Target::Query, 0),
            (Target::Key, wide),
            (Target::Value, wide + narrow),
        ] {
            let (from, to) = ((&*pass.normed, spec.hidden), (&mut *pass.qkv, width, offset));
            lora::add(
                cores,
                &pass.adapters,
                (index, target),
                from,
                to,
                block.qkv.bias.as_deref(),
            );
        }
        let turns = &pass.turns;
        each_row(cores, &mut pass.qkv, width, &|row, values| {
            let (queries, rest) = values.split_at_mut(wide);
            let (keys, _) = rest.split_at_mut(narrow);
            if let Some((of_queries, of_keys)) = &block.head_norms {
                queries
                    .chunks_exact_mut(spec.head_dim)
                    .for_each(|head| norm_head(cores, of_queries, head));
                keys.chunks_exact_mut(spec.head_dim)
                    .for_each(|head| norm_head(cores, of_keys, head));
            }
            turns.apply(cores, row, queries, spec.head_dim);
            turns.apply(cores, row, keys, spec.head_dim);
            queries.iter_mut().for_each(|value| *value *= block.query_scale);
        });
        for ((table, position), values) in pass.places.iter().zip(pass.qkv.chunks_exact(width)) {
            let (keys, values) = values.split_at(wide).1.split_at(narrow);
            let heads = keys
                .chunks_exact(spec.head_dim)
                .zip(values.chunks_exact(spec.head_dim));
            for (head, (key, value)) in heads.enumerate() {
                pages.write(table, *position, (index, head), key, value);
            }
        }
        let look = Look {
            pages,
            layer: index,
            kv_heads: spec.kv_heads,
            group: spec.heads / spec.kv_heads,
            dim: spec.head_dim,
            window: block.window,
            cap: spec.score_cap,
        };
        let qkv = &pass.qkv;
        let queries = |row: usize| qkv.get(row * width..row * width + wide).unwrap_or_default();
        attention::attend(cores, look, &pass.places, &queries, &mut pass.attended);
        let direct = block.attention_out_norm.is_none() && !multiplies(&pass.adapters, index, Target::Output);
        let out = if direct { &mut *x } else { &mut *pass.beside };
        block.output.forward(cores, &pass.attended, rows, out, direct);
        let (from, to) = ((&*pass.attended, wide), (&mut *out, spec.hidden, 0));
        let bias = block.output.bias.as_deref();
        lora::add(cores, &pass.adapters, (index, Target::Output), from, to, bias);
        join(pass, block.attention_out_norm.as_ref(), x, direct);
    }

    fn embed(&self, rows: &[Row]) -> Vec<f32> {
        let hidden = self.spec.hidden;
        let table = self.embedding.as_ref().unwrap_or(&self.head.weight);
        let mut x = vec![0.0; rows.len() * hidden];
        for (row, x) in rows.iter().zip(x.chunks_exact_mut(hidden)) {
            table.row(row.token as usize, x);
            if self.spec.embed_scale != 1.0 {
                x.iter_mut().for_each(|value| *value *= self.spec.embed_scale);
            }
            if let Positions::Learned(positions) = &self.spec.positions {
                let own = positions
                    .chunks_exact(hidden)
                    .nth(row.position)
                    .unwrap_or_default();
                x.iter_mut().zip(own).for_each(|(value, own)| *value += own);
            }
        }
        x
    }

    fn logits(&self, cores: &Cores, rows: &[Row], x: &[f32]) -> Vec<f32> {
        let hidden = self.spec.hidden;
        let wanted: Vec<f32> = rows
            .iter()
            .zip(x.chunks_exact(hidden))
            .filter(|(row, _)| row.wanted)
            .flat_map(|(_, x)| x.iter().copied())
            .collect();
        let count = wanted.len() / hidden;
        let mut normed = vec![0.0; wanted.len()];
        norm_rows(cores, &self.norm, &wanted, &mut normed);
        let mut logits = vec![0.0; count * self.vocabulary()];
        if count > 0 {
            self.head.forward(cores, &normed, count, &mut logits, false);
        }
        if let Some(cap) = self.spec.logit_cap {
            math::soft_cap(cores.level(), &mut logits, cap);
        }
        logits
    }
}

/// Runs `work` on every row of `width` values, in parallel where there are enough of them.
pub fn each_row(cores: &Cores, values: &mut [f32], width: usize, work: &(dyn Fn(usize, &mut [f32]) + Sync)) {
    struct Start(*mut f32);
    // SAFETY: parts write to disjoint rows.
    unsafe impl Sync for Start {}
    let rows = values.len() / width.max(1);
    if rows < 4 {
        values
            .chunks_exact_mut(width.max(1))
            .enumerate()
            .for_each(|(row, values)| work(row, values));
        return;
    }
    let start = Start(values.as_mut_ptr());
    cores.run(rows, &|row| {
        let start = &start;
        // SAFETY: row by row, inside `values`.
        work(row, unsafe {
            std::slice::from_raw_parts_mut(start.0.add(row * width), width)
        });
    });
}

fn norm_rows(cores: &Cores, norm: &Norm, x: &[f32], out: &mut [f32]) {
    let width = match norm {
        Norm::Rms { weight, .. } | Norm::Layer { weight, .. } => weight.len(),
    };
    each_row(cores, out, width, &|row, out| {
        if let Some(x) = x.get(row * width..(row + 1) * width) {
            norm_row(cores, norm, x, out);
        }
    });
}

pub fn norm_row(cores: &Cores, norm: &Norm, x: &[f32], out: &mut [f32]) {
    match norm {
        Norm::Rms { weight, eps } => math::rms_norm(cores.level(), x, weight, *eps, out),
        Norm::Layer { weight, bias, eps } => math::layer_norm(cores.level(), x, weight, bias, *eps, out),
    }
}

fn norm_head(cores: &Cores, norm: &Norm, head: &mut [f32]) {
    let own = head.to_vec();
    norm_row(cores, norm, &own, head);
}

/// Adds what stands beside the residual stream to it, behind its norm; nothing to do where it was added directly.
fn join(pass: &mut Pass<'_>, norm: Option<&Norm>, x: &mut [f32], direct: bool) {
    if let Some(norm) = norm {
        norm_rows(pass.cores, norm, &pass.beside, &mut pass.normed);
        math::add(pass.cores.level(), x, &pass.normed);
    } else if !direct {
        math::add(pass.cores.level(), x, &pass.beside);
    }
}

fn multiplies(adapters: &[Option<&Adapter>], block: usize, target: Target) -> bool {
    adapters
        .iter()
        .flatten()
        .any(|adapter| adapter.multiplies(block, target))
}

fn feed(
    cores: &Cores,
    feed: &Feed,
    (adapters, index): (&[Option<&Adapter>], usize),
    x: &[f32],
    inner: &mut Vec<f32>,
    out: &mut [f32],
    direct: bool,
) {
    let (size, hidden, width) = (
        feed.down.weight.inputs(),
        feed.up.weight.inputs(),
        feed.up.weight.outputs(),
    );
    let rows = adapters.len();
    inner.resize(rows * width, 0.0);
    feed.up.forward(cores, x, rows, inner, false);
    let bias = feed.up.bias.as_deref();
    let parts = [(Target::Gate, 0), (Target::Up, size)];
    let parts = if feed.gated {
        &parts[..]
    } else {
        &[(Target::Up, 0)]
    };
    for &(target, offset) in parts {
        let (from, to) = ((x, hidden), (&mut **inner, width, offset));
        lora::add(cores, adapters, (index, target), from, to, bias);
    }
    each_row(cores, inner, width, &|_, values| {
        activate(cores, feed, size, values)
    });
    // The gates' halves, moved together.
    for row in 1..if feed.gated { rows } else { 0 } {
        inner.copy_within(row * width..row * width + size, row * size);
    }
    let active = inner.get(..rows * size).unwrap_or_default();
    feed.down.forward(cores, active, rows, out, direct);
    let to = (out, feed.down.weight.outputs(), 0);
    let bias = feed.down.bias.as_deref();
    lora::add(cores, adapters, (index, Target::Down), (active, size), to, bias);
}

/// The function on a row; where there is a gate, its half holds the result.
fn activate(cores: &Cores, feed: &Feed, size: usize, values: &mut [f32]) {
    let level = cores.level();
    if !feed.gated {
        return match feed.activation {
            Activation::Silu => math::all_silu(level, values),
            Activation::GeluTanh => math::all_gelu_tanh(level, values),
            Activation::Gelu => math::all_gelu(level, values),
        };
    }
    let (gate, up) = values.split_at_mut(size);
    match feed.activation {
        Activation::Silu => math::gated_silu(level, gate, up),
        Activation::GeluTanh => math::gated_gelu_tanh(level, gate, up),
        Activation::Gelu => {
            math::all_gelu(level, gate);
            gate.iter_mut().zip(up).for_each(|(gate, up)| *gate *= *up);
        }
    }
}

/// Cosine and sine of the rows' positions.
struct Turns {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Turns {
    fn new(positions: &Positions, rows: &[Row]) -> Self {
        let Positions::Rotary { frequencies, scale } = positions else {
            return Self {
                half: 0,
                cos: Vec::new(),
                sin: Vec::new(),
            };
        };
        let angles = rows
            .iter()
            .flat_map(|row| frequencies.iter().map(move |f| row.position as f32 * f));
        let (cos, sin) = angles
            .map(|angle| (angle.cos() * scale, angle.sin() * scale))
            .unzip();
        Self {
            half: frequencies.len(),
            cos,
            sin,
        }
    }

    fn apply(&self, cores: &Cores, row: usize, heads: &mut [f32], dim: usize) {
        let of_row = row * self.half..(row + 1) * self.half;
        let (Some(cos), Some(sin)) = (self.cos.get(of_row.clone()), self.sin.get(of_row)) else {
            return;
        };
        if !cos.is_empty() {
            heads
                .chunks_exact_mut(dim)
                .for_each(|head| math::rotate(cores.level(), head, cos, sin));
        }
    }
}
