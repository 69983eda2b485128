//! The operator: sources one after the other into one dataset.

use async_trait::async_trait;
use serde_json::{Value, json};
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome, Runs, records};

use super::{
    Config, Source, feed, folder, git,
    http::Http,
    job::{Counts, Job, LICENCES},
    jsonl, keep, page,
    sink::Sink,
};

/// Extensions of files that nobody expects words from.
const WORDLESS: [&str; 47] = [
    "png",
    "jpg",
    "jpeg",
    "gif",
    "webp",
    "avif",
    "heic",
    "bmp",
    "ico",
    "svg",
    "tif",
    "tiff",
    "woff",
    "woff2",
    "ttf",
    "otf",
    "eot",
    "mp3",
    "mp4",
    "m4a",
    "flac",
    "ogg",
    "wav",
    "webm",
    "mov",
    "zip",
    "gz",
    "xz",
    "zst",
    "tar",
    "7z",
    "bz2",
    "so",
    "o",
    "a",
    "dll",
    "exe",
    "pyc",
    "class",
    "jar",
    "bin",
    "safetensors",
    "gguf",
    "pt",
    "parquet",
    "sqlite",
    "wasm",
];

/// The operator `scrape`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scrape;

#[async_trait]
impl Operator for Scrape {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        OperatorInfo {
            name: "scrape",
            version: "3",
            summary: "Reads what a person has written from git repositories, folders, JSON lines, feeds and pages.",
            inputs: vec![],
            outputs: vec![records::dataset_out(
                "documents",
                "Documents as found.",
                &records::raw_documents(),
            )],
            open_ports: false,
            runs: Runs::Process,
            cacheable: false,
        }
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        if config.sources.is_empty() {
            return Err(OperatorError::config(
                "scrape.no_sources",
                "there is nothing to read: `sources` is empty",
                "Add one, such as `{kind: folder, path: writing}`.",
            ));
        }
        let sink = Sink::new(context)?;
        let http = Http::new(&config.limits);
        let mut job = Job {
            context,
            config: &config,
            sink,
            http,
            counts: Counts::default(),
            keep: Vec::new(),
        };
        let mut figures = Vec::new();
        for source in &config.sources {
            let name = name(source);
            let (before, same) = (job.sink.documents(), job.sink.duplicates);
            match source {
                Source::Git(source) => git::scrape(&mut job, source).await?,
                Source::Folder(source) => folder::scrape(&mut job, source).await?,
                Source::Jsonl(source) => jsonl::scrape(&mut job, source).await?,
                Source::Feed(source) => feed::scrape(&mut job, source).await?,
                Source::Page(source) => page::scrape(&mut job, source).await?,
            }
            let (found, merged) = (job.sink.documents() - before, job.sink.duplicates - same);
            if found + merged == 0 && !config.allow_empty {
                return Err(OperatorError::data(
                    "scrape.empty_source",
                    format!("the source {name} has no documents"),
                    "Check its path and patterns, or set `allow_empty: true` where that is as it should be.",
                ));
            }
            context.info(format!(
                "{name}: {found} documents, {merged} merged with equal ones"
            ));
            figures.push(json!({"source": name, "documents": found, "merged": merged}));
        }
        let kept = keep::carry_over(&mut job).await?;
        tell_of_unknown(context, &job.counts);
        let (counts, documents, merged) = (job.counts, job.sink.documents(), job.sink.duplicates);
        let staged = job.sink.finish().await?;
        Ok(Done::new()
            .metric("documents", documents)
            .metric("merged", merged)
            .metric("kept", kept)
            .metric("skipped_unknown", counts.unknown.values().sum::<u64>())
            .metric("unknown_kinds", json!(counts.unknown))
            .metric("skipped_binary", counts.binary)
            .metric("skipped_oversize", counts.oversize)
            .metric("skipped_blank", counts.blank)
            .metric("invalid_characters", counts.invalid)
            .metric("guessed_charset", counts.guessed)
            .metric("sources", Value::Array(figures))
            .dataset("documents", staged)
            .into())
    }
}

/// One line of all files whose kind is not read, but for pictures and the like, which hold no words, and licences, which
/// hold none of the author's.
fn tell_of_unknown(context: &Context, counts: &Counts) {
    let mut kinds: Vec<(&String, &u64)> = counts
        .unknown
        .iter()
        .filter(|(kind, _)| {
            !WORDLESS.contains(&kind.trim_start_matches('.')) && !LICENCES.contains(&kind.as_str())
        })
        .collect();
    if kinds.is_empty() {
        return;
    }
    kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), *kind));
    let all: u64 = kinds.iter().map(|(_, count)| **count).sum();
    let named: Vec<String> = kinds
        .iter()
        .take(8)
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let more = if kinds.len() > named.len() {
        ", and others"
    } else {
        ""
    };
    context.warn(format!(
        "{all} files are left out, since their names say neither prose nor code ({}{more}): export documents as Markdown, HTML or text; name text of other kinds in `include`",
        named.join(", ")
    ));
}

/// A source as errors and the log name it, without credentials.
fn name(source: &Source) -> String {
    let (kind, place) = match source {
        Source::Git(source) => ("git", &source.url),
        Source::Folder(source) => ("folder", &source.path),
        Source::Jsonl(source) => ("jsonl", &source.path),
        Source::Feed(source) => ("feed", &source.url),
        Source::Page(source) => ("page", &source.url),
    };
    format!("{kind} `{}`", super::http::without_credentials(place))
}
