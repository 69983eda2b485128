//! Tokens a second of a random decoder of SmolLM2-135M's shape, beside the machine's memory bandwidth: the kernels alone,
//! without tokenizer or libtorch. `cargo bench -p twinloom-kernels`; arguments choose formats (f32, bf16, int8, int4).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints what it finds"
)]

use std::time::Instant;

use twinloom_kernels::{
    Activation, Block, Cores, Decoder, Feed, Format, Kept, Linear, Norm, Packed, Positions, Row, Spec, Step,
    Table,
};

const HIDDEN: usize = 576;
const INNER: usize = 1536;
const VOCABULARY: usize = 49152;

fn linear(format: Format, outputs: usize, inputs: usize) -> Linear {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 0.1 - 0.05
    };
    let weight = Packed::new(format, outputs, inputs, |_, row| row.fill_with(&mut next)).unwrap();
    Linear { weight, bias: None }
}

fn decoder(format: Format) -> Decoder {
    let norm = || Norm::Rms {
        weight: vec![1.0; HIDDEN],
        eps: 1e-6,
    };
    let block = |_| Block {
        attention_norm: norm(),
        qkv: linear(format, 15 * 64, HIDDEN),
        head_norms: None,
        output: linear(format, HIDDEN, HIDDEN),
        attention_out_norm: None,
        feed_norm: norm(),
        feed: Feed {
            up: linear(format, 2 * INNER, HIDDEN),
            gated: true,
            activation: Activation::Silu,
            down: linear(format, HIDDEN, INNER),
        },
        feed_out_norm: None,
        window: None,
        query_scale: 0.125,
    };
    Decoder {
        spec: Spec {
            hidden: HIDDEN,
            heads: 9,
            kv_heads: 3,
            head_dim: 64,
            embed_scale: 1.0,
            score_cap: None,
            logit_cap: None,
            positions: Positions::Rotary {
                frequencies: vec![0.01; 32],
                scale: 1.0,
            },
        },
        embedding: None,
        blocks: (0..30).map(block).collect(),
        norm: norm(),
        head: linear(format, VOCABULARY, HIDDEN),
    }
}

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    let cores = Cores::new(std::thread::available_parallelism().map_or(1, usize::from));
    let bandwidth = twinloom_kernels::read_bandwidth(&cores).unwrap();
    println!(
        "bandwidth {:.1} GB/s, {:?}, {} threads",
        bandwidth / 1e9,
        cores.level(),
        cores.threads()
    );
    for (name, format) in [
        ("f32", Format::F32),
        ("bf16", Format::Bf16),
        ("int8", Format::Int8 { group: 64 }),
        ("int4", Format::Int4 { group: 32 }),
    ] {
        if !chosen.is_empty() && !chosen.iter().any(|wanted| wanted == name) {
            continue;
        }
        let decoder = decoder(format);
        for batch in [1, 8] {
            let (prompt, steps) = (128, 64);
            let mut pages = decoder.pages(Kept::Bf16, 1 << 30);
            let mut tables: Vec<Table> = (0..batch).map(|salt| pages.open(&[0], salt)).collect();
            tables
                .iter_mut()
                .for_each(|table| pages.reserve(table, prompt + steps).unwrap());
            let tables: Vec<&Table> = tables.iter().collect();
            let adapters = vec![None; tables.len()];
            let mut run = |positions: std::ops::Range<usize>| {
                let rows: Vec<Row> = (0..tables.len())
                    .flat_map(|sequence| {
                        let end = positions.end;
                        positions.clone().map(move |position| Row {
                            token: (position * 7 % VOCABULARY) as u32,
                            position,
                            sequence,
                            wanted: position + 1 == end,
                        })
                    })
                    .collect();
                let step = Step {
                    rows: &rows,
                    tables: &tables,
                    adapters: &adapters,
                };
                std::hint::black_box(decoder.step(&cores, &mut pages, &step));
            };
            let start = Instant::now();
            run(0..prompt);
            let reading = start.elapsed().as_secs_f64();
            let mut times: Vec<f64> = (prompt..prompt + steps)
                .map(|position| {
                    let start = Instant::now();
                    run(position..position + 1);
                    start.elapsed().as_secs_f64()
                })
                .collect();
            times.sort_by(f64::total_cmp);
            let (mean, median) = (times.iter().sum::<f64>() / steps as f64, times[steps / 2]);
            println!(
                "{name} batch {batch}: prompt {:.0} tokens/s; decode {:.1} tokens/s (median step {:.2} ms, {:.1} tokens/s), share of bandwidth {:.2}",
                (batch as usize * prompt) as f64 / reading,
                batch as f64 / mean,
                median * 1e3,
                batch as f64 / median,
                decoder.bytes() as f64 / median / bandwidth,
            );
        }
    }
}
