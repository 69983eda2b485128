//! `store_publish`: 1 GB of text documents against a bare Parquet writer with the same properties.
//! `store_incremental`: ten changed documents of a million.
//!
//! Prints one JSON line a figure. TWINLOOM_BENCH_BYTES (1 GB) and TWINLOOM_BENCH_ROWS (1,000,000) make it shorter,
//! TWINLOOM_BENCH_REPEATS (3) steadier, TWINLOOM_BENCH_DIR says on which disk.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops where something is wrong"
)]

use std::{
    fs::File,
    io::BufWriter,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use arrow::{
    array::{RecordBatch, StringArray, TimestampMicrosecondArray},
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use serde_json::json;
use twinloom_store::{Commit, FeatureStore, Name, Producer, StageDataset, StoreLocation, writer_properties};

fn main() {
    let wanted = |bench: &str| {
        std::env::args().all(|arg| arg.starts_with("--") || !arg.starts_with("store_") || arg == bench)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if wanted("store_publish") {
        runtime.block_on(publish());
    }
    if wanted("store_incremental") {
        runtime.block_on(incremental());
    }
}

/// Ours and the bare writer in turn; medians.
async fn publish() {
    let bytes = setting("TWINLOOM_BENCH_BYTES", 1_000_000_000);
    let repeats = setting("TWINLOOM_BENCH_REPEATS", 3);
    let pool = Pool::new(2500);
    let (mut ours, mut bare, mut size) = (Vec::new(), Vec::new(), 0);
    for repeat in 0..=repeats {
        let folder = folder();
        let (taken, written) = publish_once(&folder.path().join("store"), &pool, bytes).await;
        let limit =
            tokio::task::block_in_place(|| bare_once(&folder.path().join("bare.parquet"), &pool, bytes));
        // The first round warms disk and memory.
        if repeat > 0 {
            ours.push(taken);
            bare.push(limit);
            size = written;
        }
    }
    let rate = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let (ours, bare) = (rate(median(ours)), rate(median(bare)));
    let case = json!({"bytes": bytes, "parquet_bytes": size});
    emit("store_publish", "twinloom", ours, "MB/s", &case);
    emit("store_publish", "bare_parquet_writer", bare, "MB/s", &case);
    emit("store_publish", "share_of_limit", ours / bare, "share", &case);
}

async fn publish_once(folder: &Path, pool: &Pool, bytes: u64) -> (Duration, u64) {
    let store = FeatureStore::open(&StoreLocation::new(folder.display().to_string()))
        .await
        .unwrap();
    let start = Instant::now();
    let mut writer = store.dataset_writer(spec("documents"));
    for batch in pool.batches(bytes) {
        writer.write(batch).await.unwrap();
    }
    let staged = writer.finish().await.unwrap();
    let written = staged.bytes_written;
    store.commit_dataset(staged, commit()).await.unwrap();
    (start.elapsed(), written)
}

/// One ArrowWriter with the store's own properties, to a file that reaches the disk.
fn bare_once(path: &Path, pool: &Pool, bytes: u64) -> Duration {
    let properties = writer_properties(&schema()).unwrap();
    let start = Instant::now();
    let file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut writer = ArrowWriter::try_new(file, schema(), Some(properties)).unwrap();
    for batch in pool.batches(bytes) {
        writer.write(&batch).unwrap();
    }
    writer
        .into_inner()
        .unwrap()
        .into_inner()
        .unwrap()
        .sync_all()
        .unwrap();
    start.elapsed()
}

/// A new connection, a delta of ten documents, a commit.
async fn incremental() {
    let rows = setting("TWINLOOM_BENCH_ROWS", 1_000_000);
    let repeats = setting("TWINLOOM_BENCH_REPEATS", 3);
    let folder = folder();
    let location = StoreLocation::new(folder.path().join("store").display().to_string());
    let store = FeatureStore::open(&location).await.unwrap();
    let pool = Pool::new(300);
    let mut writer = store.dataset_writer(spec("documents"));
    for batch in pool.rows(rows) {
        writer.write(batch).await.unwrap();
    }
    store
        .commit_dataset(writer.finish().await.unwrap(), commit())
        .await
        .unwrap();
    let (mut seconds, mut shares) = (Vec::new(), Vec::new());
    for repeat in 0..repeats {
        let start = Instant::now();
        let store = FeatureStore::open(&location).await.unwrap();
        let base = store.dataset(&"documents".parse().unwrap()).await.unwrap();
        let changed: Vec<u64> = (0..10).map(|n| (n * 99_991 + repeat * 7919) % rows).collect();
        let mut delta = store.delta_writer(spec("documents"), Arc::clone(&base));
        for n in &changed {
            delta.remove(&id(*n)).await.unwrap();
        }
        delta.write(pool.batch(&changed, 1 + repeat)).await.unwrap();
        let staged = delta.finish().await.unwrap();
        assert_eq!(staged.changes.unwrap().changed, 10);
        shares.push(staged.bytes_written as f64 / staged.bytes as f64);
        store.commit_dataset(staged, commit()).await.unwrap();
        seconds.push(start.elapsed());
    }
    shares.sort_by(f64::total_cmp);
    let case = json!({"rows": rows, "changed": 10});
    emit(
        "store_incremental",
        "twinloom",
        median(seconds).as_secs_f64(),
        "s",
        &case,
    );
    emit(
        "store_incremental",
        "twinloom",
        shares[shares.len() / 2],
        "share",
        &case,
    );
}

/// Texts to make documents of: words by Zipf's law, in sentences, so that they compress as prose does.
struct Pool {
    texts: Vec<String>,
}

impl Pool {
    fn new(length: usize) -> Self {
        let mut random = Random(42);
        let words: Vec<String> = (0..20_000).map(|_| word(&mut random)).collect();
        let total = 48_000_000 / length;
        let texts = (0..total).map(|_| text(&mut random, &words, length)).collect();
        Self { texts }
    }

    /// Batches of 1,024 documents that hold so many bytes of values in all.
    fn batches(&self, bytes: u64) -> impl Iterator<Item = RecordBatch> {
        let mut made = 0;
        self.numbers()
            .map(|n| self.batch(&n, 0))
            .take_while(move |batch| {
                let before = made;
                made += batch.get_array_memory_size() as u64;
                before < bytes
            })
    }

    /// Batches that hold so many rows in all.
    fn rows(&self, rows: u64) -> impl Iterator<Item = RecordBatch> {
        self.numbers().map_while(move |mut n| {
            n.retain(|n| *n < rows);
            (!n.is_empty()).then(|| self.batch(&n, 0))
        })
    }

    fn numbers(&self) -> impl Iterator<Item = Vec<u64>> + use<> {
        (0..).map(|batch: u64| (batch * 1024..(batch + 1) * 1024).collect())
    }

    fn batch(&self, numbers: &[u64], edition: u64) -> RecordBatch {
        let strings = |f: &dyn Fn(u64) -> String| {
            Arc::new(StringArray::from_iter_values(numbers.iter().map(|n| f(*n))))
        };
        let pick = |n: u64| &self.texts[((n + edition * 31) % self.texts.len() as u64) as usize];
        let times = numbers
            .iter()
            .map(|n| 1_700_000_000_000_000 + *n as i64 * 60_000_000);
        let columns: Vec<arrow::array::ArrayRef> = vec![
            strings(&id),
            strings(&|n| pick(n).chars().take(60).collect()),
            strings(&|n| format!("https://example.org/posts/{n}")),
            strings(&|n| ["article", "post", "code"][(n % 3) as usize].to_owned()),
            strings(&|_| "Ada".to_owned()),
            Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
            Arc::new(StringArray::from_iter_values(numbers.iter().map(|n| pick(*n)))),
        ];
        RecordBatch::try_new(schema(), columns).unwrap()
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound
    }
}

fn word(random: &mut Random) -> String {
    let (consonants, vowels) = (b"bcdfghklmnprstvw", b"aeiou");
    let letters = (0..=random.below(4)).flat_map(|_| [consonants[random.below(16)], vowels[random.below(5)]]);
    letters.map(char::from).collect()
}

fn text(random: &mut Random, words: &[String], length: usize) -> String {
    let mut text = String::with_capacity(length + 32);
    let wanted = length / 2 + random.below(length);
    while text.len() < wanted {
        // The logarithm of the rank is uniform: Zipf's law.
        let rank = (words.len() as f64).powf(random.below(1 << 20) as f64 / f64::from(1 << 20)) as usize - 1;
        text.push_str(&words[rank]);
        text.push_str(if random.below(12) == 0 { ". " } else { " " });
    }
    text
}

fn id(n: u64) -> String {
    format!("document-{n:08}")
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields: Vec<Field> = ["document_id", "title", "link", "category", "author"]
        .map(text)
        .into();
    fields.extend([Field::new("published", time, true), text("text")]);
    Arc::new(Schema::new(fields))
}

fn spec(name: &str) -> StageDataset {
    let (name, keys) = (Name::new(name).unwrap(), vec!["document_id".to_owned()]);
    StageDataset {
        name,
        schema: schema(),
        keys,
        producer: Producer::default(),
        inputs: Vec::new(),
    }
}

fn commit() -> Commit {
    Commit {
        task_key: None,
        not_before: None,
        now: Timestamp::now(),
    }
}

fn folder() -> tempfile::TempDir {
    match std::env::var_os("TWINLOOM_BENCH_DIR") {
        Some(dir) => tempfile::tempdir_in(dir).unwrap(),
        None => tempfile::tempdir().unwrap(),
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn emit(bench: &str, system: &str, value: f64, unit: &str, case: &serde_json::Value) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .split_whitespace()
            .next()?
            .parse::<f64>()
            .ok()
    });
    let rounded = |value: f64, digits: f64| (value * digits).round() / digits;
    let mut row = json!({
        "bench": bench,
        "system": system,
        "value": rounded(value, 10_000.0),
        "unit": unit,
        "peak_rss_mib": rounded(peak.unwrap_or_default() / 1024.0, 10.0),
        "machine": std::env::consts::ARCH,
    });
    for (key, value) in case.as_object().into_iter().flatten() {
        row[key] = value.clone();
    }
    println!("{row}");
}
