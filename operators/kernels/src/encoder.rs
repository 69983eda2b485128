//! BERT-type encoders: every token of a text looks at all of its text; norms come after the sums.

use crate::{
    Activation, Cores, Level, Linear, Norm,
    attention::{HEADS, Scores, score, softmax, weigh},
    decoder::{each_row, norm_row},
    level::in_loops,
    math::{self, LANES},
    pages::PAGE,
};

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

impl Encoder {
    /// Hidden states `[tokens, hidden]` of texts laid end to end, of these lengths, to those after the last block.
    pub fn forward(&self, cores: &Cores, x: &mut [f32], lengths: &[usize]) {
        let (hidden, tokens) = (self.hidden, x.len() / self.hidden.max(1));
        assert_eq!(lengths.iter().sum::<usize>(), tokens, "texts of other lengths");
        let starts: Vec<usize> = lengths
            .iter()
            .scan(0, |next, length| {
                *next += length;
                Some(*next - length)
            })
            .collect();
        let mut qkv = vec![0.0; tokens * 3 * hidden];
        let mut beside = vec![0.0; tokens * hidden];
        let mut inner = Vec::new();
        for layer in &self.layers {
            layer.qkv.forward(cores, x, tokens, &mut qkv, false);
            self.attention(cores, &qkv, (&starts, lengths), &mut beside);
            layer.output.forward(cores, &beside, tokens, x, true);
            norm_in_place(cores, &layer.attention_norm, x, hidden);
            let width = layer.up.weight.outputs();
            inner.resize(tokens * width, 0.0);
            layer.up.forward(cores, x, tokens, &mut inner, false);
            each_row(cores, &mut inner, width, &|_, row| match layer.activation {
                Activation::Silu => math::all_silu(cores.level(), row),
                Activation::Gelu => math::all_gelu(cores.level(), row),
                Activation::GeluTanh => math::all_gelu_tanh(cores.level(), row),
            });
            layer.down.forward(cores, &inner, tokens, x, true);
            norm_in_place(cores, &layer.feed_norm, x, hidden);
        }
    }

    fn attention(
        &self,
        cores: &Cores,
        qkv: &[f32],
        (starts, lengths): (&[usize], &[usize]),
        out: &mut [f32],
    ) {
        struct Out(*mut f32);
        // SAFETY: parts write to disjoint places: a text's rows, a head's columns.
        unsafe impl Sync for Out {}
        let shared = Out(out.as_mut_ptr());
        let (hidden, dim) = (self.hidden, self.hidden / self.heads.max(1));
        cores.run(starts.len() * self.heads, &|part| {
            let shared = &shared;
            let (text, head) = (part / self.heads, part % self.heads);
            let (Some(&start), Some(&length)) = (starts.get(text), lengths.get(text)) else {
                return;
            };
            let rows = qkv
                .get(start * 3 * hidden..(start + length) * 3 * hidden)
                .unwrap_or_default();
            let mut own = vec![0.0_f32; length * dim];
            attend(cores.level(), rows, (hidden, head, dim), &mut own);
            for (row, values) in own.chunks_exact(dim.max(1)).enumerate() {
                // SAFETY: inside `out`, which has a row for each token; see above.
                let place = unsafe {
                    std::slice::from_raw_parts_mut(shared.0.add((start + row) * hidden + head * dim), dim)
                };
                place.copy_from_slice(values);
            }
        });
    }
}

fn norm_in_place(cores: &Cores, norm: &Norm, x: &mut [f32], hidden: usize) {
    each_row(cores, x, hidden, &|_, row| {
        let own = row.to_vec();
        norm_row(cores, norm, &own, row);
    });
}

/// One head of one text; `rows` are its queries, keys and values, `out` is `[tokens, dim]`.
fn attend(level: Level, rows: &[f32], shape: (usize, usize, usize), out: &mut [f32]) {
    in_loops!(level, attend_loop(rows, shape, out));
}

#[inline(always)]
fn attend_loop<const WIDE: bool>(rows: &[f32], (hidden, head, dim): (usize, usize, usize), out: &mut [f32]) {
    let (length, wide) = (rows.len() / (3 * hidden), dim.next_multiple_of(LANES));
    let pages = length.div_ceil(PAGE);
    let part = |token: usize, which: usize| {
        let at = token * 3 * hidden + which * hidden + head * dim;
        rows.get(at..at + dim).unwrap_or_default()
    };
    // As in the pages of a decoder: keys side by side, values one after the other.
    let mut keys = vec![[0.0_f32; PAGE]; pages * dim];
    let mut values = vec![0.0_f32; pages * PAGE * wide];
    for (token, kept) in values.chunks_exact_mut(wide).enumerate().take(length) {
        let of_page = keys.iter_mut().skip(token / PAGE * dim);
        for (keys, key) in of_page.zip(part(token, 1)) {
            keys[token % PAGE] = *key;
        }
        kept.iter_mut()
            .zip(part(token, 2))
            .for_each(|(kept, value)| *kept = *value);
    }
    let scale = (dim as f32).sqrt().recip();
    let mut queries = vec![[0.0_f32; HEADS]; dim];
    let mut scores: Vec<Scores> = vec![[[0.0; PAGE]; HEADS]; pages];
    for (group, out) in out.chunks_mut(HEADS * dim).enumerate() {
        queries.fill([0.0; HEADS]);
        for (index, _) in out.chunks_exact(dim).enumerate() {
            for (queries, q) in queries.iter_mut().zip(part(group * HEADS + index, 0)) {
                queries[index % HEADS] = q * scale;
            }
        }
        for (scores, keys) in scores.iter_mut().zip(keys.chunks_exact(dim)) {
            *scores = score::<f32, WIDE>(&queries, keys);
        }
        for index in 0..HEADS {
            softmax::<WIDE>(None, index, (0, length), &mut scores);
        }
        for from in (0..dim).step_by(LANES) {
            let mut sums = [[0.0_f32; LANES]; HEADS];
            for (scores, values) in scores.iter().zip(values.chunks_exact(PAGE * wide)) {
                weigh::<f32, WIDE>(scores, values, (wide, from), &mut sums);
            }
            for (out, sums) in out.chunks_exact_mut(dim).zip(&sums) {
                if let Some(out) = out.get_mut(from..(from + LANES).min(dim)) {
                    out.iter_mut().zip(sums).for_each(|(out, sum)| *out = *sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::{Format, Packed};

    const HIDDEN: usize = 24;
    const HEADS_OF: usize = 3;

    fn number(seed: usize) -> f32 {
        ((seed.wrapping_mul(2_654_435_761) >> 7) % 1000) as f32 / 1000.0 - 0.5
    }

    fn linear(format: Format, outputs: usize, inputs: usize, seed: usize) -> Linear {
        let weight = Packed::new(format, outputs, inputs, |row, out| {
            out.iter_mut()
                .enumerate()
                .for_each(|(k, out)| *out = number(seed + row * inputs + k));
        });
        Linear {
            weight: weight.unwrap(),
            bias: Some((0..outputs).map(|at| number(seed * 7 + at)).collect()),
        }
    }

    fn encoder(format: Format) -> Encoder {
        let norm = || Norm::Layer {
            weight: vec![1.1; HIDDEN],
            bias: vec![0.1; HIDDEN],
            eps: 1e-12,
        };
        let layer = |seed: usize| EncoderLayer {
            qkv: linear(format, 3 * HIDDEN, HIDDEN, seed),
            output: linear(format, HIDDEN, HIDDEN, seed + 1),
            attention_norm: norm(),
            up: linear(format, 40, HIDDEN, seed + 2),
            activation: Activation::Gelu,
            down: linear(format, HIDDEN, 40, seed + 3),
            feed_norm: norm(),
        };
        Encoder {
            layers: vec![layer(10), layer(20)],
            heads: HEADS_OF,
            hidden: HIDDEN,
        }
    }

    /// Attention as its definition has it, in fp64.
    fn attention(qkv: &[f32], length: usize) -> Vec<f32> {
        let dim = HIDDEN / HEADS_OF;
        let get = |token: usize, which: usize, head: usize, d: usize| {
            f64::from(qkv[token * 3 * HIDDEN + which * HIDDEN + head * dim + d])
        };
        let mut out = vec![0.0; length * HIDDEN];
        for (token, head) in (0..length).flat_map(|token| (0..HEADS_OF).map(move |head| (token, head))) {
            let score = |key: usize| {
                let dot: f64 = (0..dim)
                    .map(|d| get(token, 0, head, d) * get(key, 1, head, d))
                    .sum();
                (dot / (dim as f64).sqrt()).exp()
            };
            let weights: Vec<f64> = (0..length).map(score).collect();
            let total: f64 = weights.iter().sum();
            for d in 0..dim {
                let sum: f64 = (0..length).map(|key| weights[key] * get(key, 2, head, d)).sum();
                out[token * HIDDEN + head * dim + d] = (sum / total) as f32;
            }
        }
        out
    }

    #[test]
    fn attention_is_what_its_definition_says() {
        let cores = Cores::new(2);
        let encoder = encoder(Format::F32);
        for length in [1, 3, 16, 37] {
            let qkv: Vec<f32> = (0..length * 3 * HIDDEN)
                .map(|at| number(at + length) * 4.0)
                .collect();
            let mut out = vec![0.0; length * HIDDEN];
            encoder.attention(&cores, &qkv, (&[0], &[length]), &mut out);
            let expected = attention(&qkv, length);
            let off = out
                .iter()
                .zip(&expected)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(off < 1e-5, "{length}: {off}");
        }
    }

    #[test]
    fn texts_do_not_see_each_other_and_reduced_weights_stay_near() {
        let cores = Cores::new(2);
        let lengths = [5, 17, 1, 32];
        let states = |text: usize| (0..lengths[text] * HIDDEN).map(move |at| number(at * 3 + text * 977));
        let together = |format| {
            let mut x: Vec<f32> = (0..4).flat_map(states).collect();
            encoder(format).forward(&cores, &mut x, &lengths);
            x
        };
        let exact = together(Format::F32);
        let mut start = 0;
        for (text, length) in lengths.iter().enumerate() {
            let mut x: Vec<f32> = states(text).collect();
            encoder(Format::F32).forward(&cores, &mut x, &[*length]);
            assert_eq!(x, exact[start..start + x.len()], "text {text}");
            start += x.len();
        }
        let cosine = |a: &[f32], b: &[f32]| {
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        assert!(cosine(&exact, &together(Format::Bf16)) > 0.9995);
        assert!(cosine(&exact, &together(Format::Int8 { group: 64 })) > 0.999);
    }
}
