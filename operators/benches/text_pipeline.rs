//! Clean and chunk throughput on real articles, on one core: MB/s of input text, as one JSON line.
//!
//! The work is what the two operators do for a batch of rows, from Arrow batch to Arrow batch: chrome, styled letters,
//! language, structure, and the rows of the result. `cargo bench -p twinloom-operators --bench text_pipeline`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench reports on stdout, data first"
)]

use std::{env, error::Error, fs, hint::black_box, path::PathBuf, sync::Arc, time::Instant};

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMillisecondArray};
use serde_json::{Value, json};
use twinloom_operators::{chunk, clean};
use twinloom_sdk::records;

/// How often the articles are repeated, as in the peer's script.
const REPEAT: usize = 20;
/// The best of so many passes counts.
const PASSES: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(data) = shared_data() else {
        eprintln!("SKIP: text_pipeline needs ../shared/data/articles.jsonl (or TWINLOOM_SHARED)");
        return Ok(());
    };
    let mut articles = Vec::new();
    for line in fs::read_to_string(data.join("articles.jsonl"))?.lines() {
        articles.push(serde_json::from_str::<Value>(line)?);
    }
    let rows = batch(&articles)?;
    let size: usize = articles
        .iter()
        .filter_map(|article| article["text"].as_str())
        .map(str::len)
        .sum();
    let megabytes = (size * REPEAT) as f64 / 1e6;
    let (clean_config, chunk_config) = (clean::Config::default(), chunk::Config::default());
    let mut best = f64::INFINITY;
    let mut chunks = 0;
    for _ in 0..PASSES {
        let started = Instant::now();
        chunks = 0;
        for _ in 0..REPEAT {
            let (cleaned, _) = clean::clean_rows(&clean_config, black_box(&rows))?;
            chunks += black_box(chunk::chunk_rows(&chunk_config, &cleaned)?).num_rows();
        }
        best = best.min(started.elapsed().as_secs_f64());
    }
    let line = json!({
        "bench": "text_pipeline",
        "system": "twinloom",
        "value": (megabytes / best * 1000.0).round() / 1000.0,
        "unit": "MB/s",
        "peak_rss_mib": peak_rss_mib(),
        "machine": env::consts::ARCH,
        "input_mb": (megabytes * 10.0).round() / 10.0,
        "chunks": chunks,
    });
    println!("{line}");
    Ok(())
}

fn batch(articles: &[Value]) -> Result<RecordBatch, Box<dyn Error>> {
    let texts = |name: &str| {
        Arc::new(
            articles
                .iter()
                .map(|row| row[name].as_str())
                .collect::<StringArray>(),
        ) as ArrayRef
    };
    let all = |value: &str| Arc::new(StringArray::from(vec![value; articles.len()])) as ArrayRef;
    let none = Arc::new(StringArray::from(vec![None::<&str>; articles.len()])) as ArrayRef;
    let no_time = || {
        Arc::new(TimestampMillisecondArray::from(vec![None; articles.len()]).with_timezone("UTC")) as ArrayRef
    };
    let ids: Vec<String> = (0..articles.len()).map(|row| format!("{row:032}")).collect();
    Ok(RecordBatch::try_new(
        records::raw_documents(),
        vec![
            Arc::new(StringArray::from(ids)),
            all("article"),
            texts("platform"),
            texts("author"),
            texts("link"),
            texts("title"),
            all("markdown"),
            texts("text"),
            no_time(),
            no_time(),
            none,
        ],
    )?)
}

fn shared_data() -> Option<PathBuf> {
    let given = env::var_os("TWINLOOM_SHARED").map(PathBuf::from);
    let near = env::current_dir()
        .ok()?
        .ancestors()
        .map(|folder| folder.join("shared"))
        .collect::<Vec<_>>();
    given
        .into_iter()
        .chain(near)
        .map(|shared| shared.join("data"))
        .find(|data| data.join("articles.jsonl").is_file())
}

fn peak_rss_mib() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some((kib / 1024.0 * 10.0).round() / 10.0)
}
