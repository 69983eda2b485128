//! Texts a second of a random encoder of MiniLM-L6's shape (6 layers, width 384, 12 heads): the kernels alone, without
//! tokenizer or libtorch. One JSON line a format; arguments choose formats (f32, bf16, int8, int4).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints what it finds"
)]

use std::time::Instant;

use twinloom_kernels::{Activation, Cores, Encoder, EncoderLayer, Format, Linear, Norm, Packed};

const HIDDEN: usize = 384;
const INNER: usize = 1536;
const HEADS: usize = 12;
const TOKENS: usize = 212;
const ROUNDS: usize = 15;

fn linear(format: Format, outputs: usize, inputs: usize) -> Linear {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 0.1 - 0.05
    };
    let weight = Packed::new(format, outputs, inputs, |_, row| row.fill_with(&mut next)).unwrap();
    Linear {
        weight,
        bias: Some(vec![0.01; outputs]),
    }
}

fn encoder(format: Format) -> Encoder {
    let norm = || Norm::Layer {
        weight: vec![1.0; HIDDEN],
        bias: vec![0.0; HIDDEN],
        eps: 1e-12,
    };
    let layer = |_| EncoderLayer {
        qkv: linear(format, 3 * HIDDEN, HIDDEN),
        output: linear(format, HIDDEN, HIDDEN),
        attention_norm: norm(),
        up: linear(format, INNER, HIDDEN),
        activation: Activation::Gelu,
        down: linear(format, HIDDEN, INNER),
        feed_norm: norm(),
    };
    Encoder {
        layers: (0..6).map(layer).collect(),
        heads: HEADS,
        hidden: HIDDEN,
    }
}

/// Milliseconds of processor time that this process' threads took: on a machine with other work it says more about the
/// code than the clock. 0 where the system does not tell.
fn cpu_ms() -> f64 {
    let of = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    tasks.filter_map(of).sum::<f64>() / 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with('-'))
        .collect();
    let threads = std::env::var("KERNEL_THREADS")
        .ok()
        .and_then(|text| text.parse().ok());
    let cores =
        Cores::new(threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)));
    let formats = [
        ("f32", Format::F32),
        ("bf16", Format::Bf16),
        ("int8", Format::Int8 { group: 64 }),
        ("int4", Format::Int4 { group: 32 }),
    ];
    for (name, format) in formats {
        if !chosen.is_empty() && !chosen.iter().any(|wanted| wanted == name) {
            continue;
        }
        let encoder = encoder(format);
        for (texts, tokens) in [(9, TOKENS), (1, TOKENS), (1, 12)] {
            let states: Vec<f32> = (0..texts * tokens * HIDDEN)
                .map(|at| ((at * 7919 % 1000) as f32 - 500.0) / 300.0)
                .collect();
            let lengths = vec![tokens; texts];
            let rounds = (0..ROUNDS).map(|_| {
                let mut x = states.clone();
                let (start, cpu) = (Instant::now(), cpu_ms());
                encoder.forward(&cores, &mut x, &lengths);
                let times = (start.elapsed().as_secs_f64(), cpu_ms() - cpu);
                std::hint::black_box(&x);
                times
            });
            let (seconds, cpu): (Vec<f64>, Vec<f64>) = rounds.unzip();
            let (seconds, cpu) = (median(seconds), median(cpu));
            println!(
                r#"{{"bench":"encoder","weights":"{name}","level":"{:?}","threads":{},"texts":{texts},"tokens":{tokens},"median_ms":{:.3},"cpu_ms_per_text":{:.3},"texts_per_s":{:.1}}}"#,
                cores.level(),
                cores.threads(),
                seconds * 1e3,
                cpu / texts as f64,
                texts as f64 / seconds,
            );
        }
    }
}
