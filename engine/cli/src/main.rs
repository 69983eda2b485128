//! The binary `twinloom`: the command line, and the only crate that sees every part.

mod account;
mod app;
mod args;
mod commands;
mod error;
mod output;
mod progress;
mod remote;
mod signals;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::{
    app::App,
    args::{Cli, Command},
    commands::{
        access, ask, dataset, decide, experiments, files, init, model, plan, run, runs, scheduler, store, up,
    },
    error::CliError,
    remote::Remote,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::Worker) {
        return twinloom_sdk::worker::serve(&twinloom_operators::registry());
    }
    let json = cli.global.json;
    let app = App::new(cli.global);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into(), json),
    };
    let ended = runtime.block_on(dispatch(&app, cli.command));
    // A thread may wait for a line on the terminal that nobody will write.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, json),
    }
}

async fn dispatch(app: &App, command: Command) -> Result<(), CliError> {
    if let Some(remote) = Remote::of(&app.global)? {
        return remote::dispatch(&remote, app.global.json, command).await;
    }
    match command {
        Command::Init { dir } => init::run(app, &dir),
        Command::Validate { files } => files::validate(app, &files),
        Command::Plan { file, params } => plan::run(app, &file, &params).await,
        Command::Fmt { files, check } => files::fmt(app, &files, check),
        Command::Schema { of } => files::schema(app, &of),
        Command::Operators { name } => files::operators(app, name.as_deref()),
        Command::Run(args) => run::run(app, &args).await,
        Command::Runs { dag, state, limit } => runs::list(app, dag, state.as_deref(), limit).await,
        Command::Show { run } => runs::show(app, &run).await,
        Command::Logs { run, task, follow } => runs::logs(app, &run, task.as_deref(), follow).await,
        Command::Cancel { run, reason } => runs::cancel(app, &run, &reason).await,
        Command::Retry {
            run,
            from,
            approve_as,
        } => run::retry(app, &run, from.as_deref(), approve_as).await,
        Command::Approvals => decide::list(app).await,
        Command::Approve(args) => decide::decide(app, &args, true).await,
        Command::Reject(args) => decide::decide(app, &args, false).await,
        Command::Dataset(command) => dataset::run(app, &command).await,
        Command::Model(command) => model::run(app, &command).await,
        Command::Experiments(command) => experiments::run(app, &command).await,
        Command::Store(command) => store::run(app, &command).await,
        Command::Ask(args) => ask::run(app, &args).await,
        Command::Why { run, task } => runs::why(app, &run, task.as_deref()).await,
        Command::Scheduler => scheduler::run(app).await,
        Command::Up(args) => up::run(app, &args).await,
        Command::Dags { .. } | Command::Backfill(_) => Err(CliError::usage(
            "server.missing",
            "this command asks a server",
            "Say which: --server http://127.0.0.1:7878 (`twinloom up` starts one).",
        )),
        Command::User(command) => access::user(app, command).await,
        Command::Token(command) => access::token(app, command).await,
        Command::Secret(command) => access::secret(app, command).await,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "twinloom", &mut std::io::stdout());
            Ok(())
        }
        // Handled before the runtime starts: a worker has one of its own.
        Command::Worker => Ok(()),
    }
}

fn fail(error: &CliError, json: bool) -> ExitCode {
    match &error.rendered {
        Some(text) => {
            if json && !text.is_empty() {
                let _ = output::json(&error.to_json());
            } else if !text.is_empty() {
                output::say(text.trim_end());
                output::say(&format!("error[{}]: {}", error.code, error.message));
            }
        }
        None if json => {
            let _ = output::json(&error.to_json());
        }
        None => {
            output::say(&format!("error[{}]: {}", error.code, error.message));
            if !error.hint.is_empty() {
                output::say(&format!("hint: {}", error.hint));
            }
        }
    }
    error.exit_code()
}
