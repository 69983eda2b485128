//! The binary `twinloom-torch`.
//!
//! Without arguments it is a worker: it reads one task from stdin and runs it. The other commands are for people and
//! for the serving side.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use twinloom_torch::{device, registry};

/// The libtorch worker of Twinloom. Without a command: reads one task from stdin and runs it.
#[derive(Parser)]
#[command(name = "twinloom-torch", version)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Shows versions, devices and threads.
    Info {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    device::quiet_openmp();
    let args = Args::parse();
    let cuda_problem = device::load_cuda();
    match args.command {
        None => twinloom_sdk::worker::serve(&registry()),
        Some(Command::Info { json }) => info(json, cuda_problem),
    }
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn info(json: bool, cuda_problem: Option<String>) -> ExitCode {
    let info = device::info(cuda_problem);
    let Ok(value) = serde_json::to_value(&info) else { return ExitCode::FAILURE };
    if json {
        println!("{value}");
    } else if let Some(fields) = value.as_object() {
        for (name, value) in fields {
            println!("{name:14} {value}");
        }
    }
    ExitCode::SUCCESS
}
