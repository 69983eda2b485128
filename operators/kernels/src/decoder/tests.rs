#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use super::*;
use crate::{Adapter, Cores, Format, Level, Low, Table, Target};

const VOCABULARY: usize = 97;

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    }
}

/// A small decoder with every optional part.
fn decoder(format: Format, windowed: bool) -> Decoder {
    let mut numbers = Numbers(7);
    let (hidden, heads, kv_heads, head_dim, inner) = (48, 6, 2, 8, 80);
    let mut linear = |outputs: usize, inputs: usize, bias: bool| Linear {
        weight: Packed::new(format, outputs, inputs, |_, out| {
            out.fill_with(|| numbers.next() * 0.5)
        })
        .unwrap(),
        bias: bias.then(|| vec![0.01; outputs]),
    };
    let norm = |size| Norm::Rms {
        weight: vec![1.0; size],
        eps: 1e-6,
    };
    let block = |index: usize| Block {
        attention_norm: norm(hidden),
        qkv: linear((heads + 2 * kv_heads) * head_dim, hidden, true),
        head_norms: Some((norm(head_dim), norm(head_dim))),
        output: linear(hidden, heads * head_dim, false),
        attention_out_norm: (index == 1).then(|| norm(hidden)),
        feed_norm: norm(hidden),
        feed: Feed {
            up: linear(2 * inner, hidden, false),
            gated: true,
            activation: Activation::Silu,
            down: linear(hidden, inner, false),
        },
        feed_out_norm: (index == 1).then(|| norm(hidden)),
        window: windowed.then_some(9),
        query_scale: (head_dim as f32).sqrt().recip(),
    };
    let blocks = (0..2).map(block).collect();
    let decoder = Decoder {
        spec: Spec {
            hidden,
            heads,
            kv_heads,
            head_dim,
            embed_scale: 1.0,
            score_cap: Some(20.0),
            logit_cap: None,
            positions: Positions::Rotary {
                frequencies: vec![1.0, 0.3, 0.1, 0.03],
                scale: 1.0,
            },
        },
        embedding: None,
        blocks,
        norm: norm(hidden),
        head: linear(VOCABULARY, hidden, false),
    };
    decoder.check().unwrap();
    decoder
}

fn rows_of(tokens: &[u32], from: usize, to: usize, sequence: usize) -> Vec<Row> {
    let row = |position: usize| Row {
        token: tokens[position],
        position,
        sequence,
        wanted: position + 1 == tokens.len(),
    };
    (from..to).map(row).collect()
}

/// Logits after the last of `tokens`, read in pieces of the given sizes.
fn read(decoder: &Decoder, cores: &Cores, tokens: &[u32], pieces: &[usize]) -> Vec<f32> {
    let mut pages = decoder.pages(Kept::F32, 1 << 22);
    let mut table = pages.open(tokens, 0);
    pages.reserve(&mut table, tokens.len()).unwrap();
    let (mut at, mut logits) = (0, Vec::new());
    for piece in pieces.iter().cycle() {
        let end = (at + piece).min(tokens.len());
        let step = Step {
            rows: &rows_of(tokens, at, end, 0),
            tables: &[&table],
            adapters: &[None],
        };
        logits = decoder.step(cores, &mut pages, &step);
        pages.advance(&mut table, &tokens[at..end]);
        at = end;
        if at == tokens.len() {
            break;
        }
    }
    logits
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn reading_in_pieces_or_at_once_is_the_same_to_the_bit() {
    let tokens: Vec<u32> = (0..41).map(|i| i * 13 % 97).collect();
    for format in [
        Format::F32,
        Format::Bf16,
        Format::Int8 { group: 32 },
        Format::Int4 { group: 32 },
    ] {
        for windowed in [false, true] {
            let (decoder, cores) = (decoder(format, windowed), Cores::new(2));
            let whole = read(&decoder, &cores, &tokens, &[41]);
            assert!(whole.len() == VOCABULARY && whole.iter().all(|logit| logit.is_finite()));
            for pieces in [&[1][..], &[16], &[7, 1, 2]] {
                assert_eq!(
                    read(&decoder, &cores, &tokens, pieces),
                    whole,
                    "{format:?} {pieces:?}"
                );
            }
        }
    }
}

#[test]
fn all_levels_agree_and_a_window_counts() {
    let tokens: Vec<u32> = (0..30).collect();
    let of = |level, windowed| {
        let cores = Cores::new(2).with_level(level);
        read(&decoder(Format::F32, windowed), &cores, &tokens, &[30])
    };
    let plain = of(Level::Plain, true);
    for level in Level::available() {
        assert!(furthest(&of(level, true), &plain) < 1e-4, "{level:?}");
    }
    assert_ne!(of(Level::Plain, false), plain);
}

#[test]
fn neighbours_and_shared_pages_change_nothing() {
    let (decoder, cores) = (decoder(Format::Bf16, false), Cores::new(2));
    let text = |n: u32| {
        (0..20 + n)
            .map(|i| if i < 17 { i } else { (i * 31 + n * 7) % 97 })
            .collect()
    };
    let texts: Vec<Vec<u32>> = (0..5).map(text).collect();
    let alone: Vec<_> = texts
        .iter()
        .map(|text| read(&decoder, &cores, text, &[64]))
        .collect();
    let mut pages = decoder.pages(Kept::F32, 1 << 22);
    let mut tables: Vec<Table> = Vec::new();
    // The first is read alone; the others share its first page and go together.
    for group in [0..1, 1..5] {
        let mut rows = Vec::new();
        for index in group.clone() {
            let mut table = pages.open(&texts[index], 0);
            assert_eq!(table.len(), if index == 0 { 0 } else { 16 });
            pages.reserve(&mut table, texts[index].len()).unwrap();
            rows.extend(rows_of(&texts[index], table.len(), texts[index].len(), index));
            tables.push(table);
        }
        let step = Step {
            rows: &rows,
            tables: &tables.iter().collect::<Vec<_>>(),
            adapters: &[],
        };
        let logits = decoder.step(&cores, &mut pages, &step);
        for (index, logits) in group.clone().zip(logits.chunks(VOCABULARY)) {
            assert_eq!(logits, alone[index], "text {index}");
        }
        for index in group {
            let known = tables[index].len();
            pages.advance(&mut tables[index], &texts[index][known..]);
        }
    }
}

#[test]
fn an_adapter_is_what_merged_weights_are_and_touches_only_its_own_sequence() {
    let (mut numbers, cores) = (Numbers(3), Cores::new(2));
    let (hidden, inner) = (48, 80);
    let mut low = |outputs: usize, inputs: usize| Low {
        a: (0..2 * inputs).map(|_| numbers.next()).collect(),
        b: (0..2 * outputs).map(|_| numbers.next()).collect(),
        rank: 2,
        share: None,
    };
    let first = vec![(Target::Key, low(16, hidden)), (Target::Up, low(inner, hidden))];
    let adapter = Adapter {
        blocks: vec![first, vec![(Target::Down, low(hidden, inner))]],
    };
    let (base, mut merged) = (decoder(Format::F32, false), decoder(Format::F32, false));
    for (block, target, offset) in [
        (0, Target::Key, hidden),
        (0, Target::Up, inner),
        (1, Target::Down, 0),
    ] {
        let (low, held) = (adapter.low(block, target).unwrap(), &mut merged.blocks[block]);
        let weight = match target {
            Target::Key => &mut held.qkv.weight,
            Target::Up => &mut held.feed.up.weight,
            _ => &mut held.feed.down.weight,
        };
        let (outputs, inputs) = (weight.outputs(), weight.inputs());
        *weight = Packed::new(Format::F32, outputs, inputs, |row, out| {
            weight.row(row, out);
            let b = row
                .checked_sub(offset)
                .and_then(|at| low.b.get(at * 2..at * 2 + 2));
            for (k, out) in out.iter_mut().enumerate() {
                *out += b.map_or(0.0, |b| b[0] * low.a[k] + b[1] * low.a[inputs + k]);
            }
        })
        .unwrap();
    }
    let tokens: Vec<u32> = (5..25).collect();
    let plain = read(&base, &cores, &tokens, &[20]);
    let expected = read(&merged, &cores, &tokens, &[20]);
    let mut pages = base.pages(Kept::F32, 1 << 22);
    let mut tables: Vec<Table> = (0..2).map(|salt| pages.open(&tokens, salt)).collect();
    tables
        .iter_mut()
        .for_each(|table| pages.reserve(table, 20).unwrap());
    let step = Step {
        rows: &[rows_of(&tokens, 0, 20, 0), rows_of(&tokens, 0, 20, 1)].concat(),
        tables: &tables.iter().collect::<Vec<_>>(),
        adapters: &[None, Some(&adapter)],
    };
    let logits = base.step(&cores, &mut pages, &step);
    assert_eq!(logits[..VOCABULARY], plain);
    let off = furthest(&logits[VOCABULARY..], &expected);
    assert!(off < 1e-3 && furthest(&plain, &expected) > 0.01, "{off}");
}
