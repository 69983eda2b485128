//! The binary `twinloom-torch`.
//!
//! Without arguments it is a worker: it reads one task from stdin and runs it. The other commands are for people and
//! for the serving side.

use std::{io, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use serde_json::Value;
use tracing_subscriber::EnvFilter;
use twinloom_torch::{ModelError, bench, checkpoint, device, inspect, registry, serve};

/// The libtorch worker of Twinloom. Without a command: reads one task from stdin and runs it.
#[derive(Parser)]
#[command(name = "twinloom-torch", version)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Answers embed, rerank and generate requests, JSON lines on stdin and stdout.
    Serve {
        /// auto, cpu, cuda or cuda:N.
        #[arg(long, default_value = "auto", env = "TWINLOOM_DEVICE")]
        device: String,
        /// How language models' weights are held.
        #[arg(long, value_enum, default_value_t, env = "TWINLOOM_WEIGHTS")]
        weights: serve::Weights,
        /// How encoders' weights are held.
        #[arg(long, value_enum, default_value_t, env = "TWINLOOM_ENCODER_WEIGHTS")]
        encoder_weights: serve::Weights,
        /// What runs language models.
        #[arg(long, value_enum, default_value_t, env = "TWINLOOM_BACKEND")]
        backend: serve::Backend,
        /// MiB for the keys and values of each language model.
        #[arg(long, default_value_t = 1024, env = "TWINLOOM_CACHE_MIB")]
        cache_mib: usize,
        /// Language models that stay loaded.
        #[arg(long, default_value_t = 2, env = "TWINLOOM_MODELS")]
        models: usize,
    },
    /// Writes a checkpoint with an adapter's changes in its weights.
    Merge {
        /// Folder of the base checkpoint, or its name on the hub.
        base: String,
        /// Folder of the adapter.
        adapter: PathBuf,
        /// The folder to write.
        out: PathBuf,
    },
    /// Shows versions, devices and threads.
    Info {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Finds a model by folder or name (and downloads it), loads it, and tells what it is and what loading takes.
    Inspect {
        /// A folder, or `owner/name` or `owner/name@revision` on the hub.
        model: String,
        /// float32, float16 or bfloat16; without it the model's own type.
        #[arg(long)]
        dtype: Option<String>,
    },
    /// Converts a llama2.c checkpoint (version 0) and its tokenizer to a Hugging Face folder.
    ConvertLlama2c {
        /// The weights, such as stories260K.bin.
        weights: PathBuf,
        /// The tokenizer, such as tok512.bin.
        tokenizer: PathBuf,
        /// The folder to write.
        out: PathBuf,
    },
    /// Measures; prints JSON lines.
    #[command(subcommand)]
    Bench(Bench),
}

#[derive(Subcommand)]
enum Bench {
    /// Whether a device computes what the CPU does: decoders (tokens, LoRA and QLoRA steps), embedders, rerankers.
    Agree(bench::AgreeBench),
    /// Chunks embedded a second.
    Embed(bench::EmbedBench),
    /// Tokens written a second.
    Generate(bench::GenerateBench),
    /// Pairs of question and chunk scored a second.
    Rerank(bench::RerankBench),
    /// Tokens trained on a second.
    Train(bench::TrainBench),
}

fn main() -> ExitCode {
    device::prepare();
    let args = Args::parse();
    log();
    device::load_cuda();
    let info = matches!(args.command, Some(Command::Info { .. }));
    if let Some(problem) = device::cuda_problem().filter(|_| !info) {
        tracing::warn!("{problem}: `auto` means the CPU");
    }
    let result = match args.command {
        None => return twinloom_sdk::worker::serve(&registry()),
        Some(Command::Info { json }) => show_info(json),
        Some(Command::Inspect { model, dtype }) => show(&model, dtype.as_deref()),
        Some(Command::Serve {
            device,
            weights,
            encoder_weights,
            backend,
            cache_mib,
            models,
        }) => device::parse(&device).map(|device| {
            answer(serve::ServeOptions {
                weights,
                encoder_weights,
                backend,
                cache_bytes: cache_mib << 20,
                models,
                ..serve::ServeOptions::new(device)
            });
        }),
        Some(Command::Merge { base, adapter, out }) => {
            checkpoint::hub::locate(&base).and_then(|base| checkpoint::merge(&base.dir, &adapter, &out))
        }
        Some(Command::ConvertLlama2c {
            weights,
            tokenizer,
            out,
        }) => checkpoint::convert_llama2c(&weights, &tokenizer, &out),
        Some(Command::Bench(Bench::Agree(bench))) => {
            bench::agree(&bench, &mut |row| print_line(&row.to_string()))
        }
        Some(Command::Bench(Bench::Embed(bench))) => bench::embed(&bench).map(|rows| print(&rows)),
        Some(Command::Bench(Bench::Rerank(bench))) => bench::rerank(&bench).map(|rows| print(&rows)),
        Some(Command::Bench(Bench::Train(bench))) => bench::train(&bench).map(|rows| print(&rows)),
        Some(Command::Bench(Bench::Generate(bench))) => bench::generate(&bench).map(|rows| print(&rows)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn answer(options: serve::ServeOptions) {
    // A broken pipe means that nobody asks any more.
    let _ = serve::serve(io::stdin().lock(), io::BufWriter::new(io::stdout()), options);
}

/// Warnings and errors go to stderr, which is a task's log.
fn log() {
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
}

fn show_info(json: bool) -> Result<(), ModelError> {
    let value = serde_json::to_value(device::info()).unwrap_or_default();
    match value.as_object() {
        Some(fields) if !json => fields
            .iter()
            .for_each(|(name, value)| print_line(&format!("{name:14} {value}"))),
        _ => print_line(&value.to_string()),
    }
    Ok(())
}

fn show(model: &str, dtype: Option<&str>) -> Result<(), ModelError> {
    let kind = dtype.map(checkpoint::kind_named).transpose()?;
    inspect::inspect(model, kind).map(|found| print_line(&found.to_string()))
}

fn print(rows: &[Value]) {
    rows.iter().for_each(|row| print_line(&row.to_string()));
}

#[expect(clippy::print_stdout, reason = "data on stdout")]
fn print_line(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "words on stderr")]
fn fail(error: &ModelError) -> ExitCode {
    eprintln!("error[{}]: {error}\n  {}", error.code(), error.hint());
    ExitCode::FAILURE
}
