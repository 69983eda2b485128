//! The command line: every command, option and example that `--help` shows.

mod data;
mod run;
mod server;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub use data::{DatasetCommand, ExperimentsCommand, Format, ModelCommand, StoreCommand};
pub use run::{AskArgs, DecideArgs, Params, RunArgs};
pub use server::{BackfillArgs, DagsCommand, SecretCommand, TokenCommand, UpArgs, UserCommand};

const EXIT_CODES: &str = "Exit codes:
  0  done; for a run: it succeeded
  1  failed; for a run: a task failed
  2  the command line, a file or a parameter is wrong
  3  no such DAG, run, task, operator, dataset, model or version
  4  the run waits for approval (`twinloom approve RUN --as NAME` goes on with it)
  5  the run was cancelled or rejected

Environment: TWINLOOM_HOME, TWINLOOM_STORE, TWINLOOM_DATABASE, TWINLOOM_TORCH (the worker binary), TWINLOOM_EMBEDDER
(the embedder's folder),
TWINLOOM_SERVER, TWINLOOM_TOKEN, TWINLOOM_LOG, TWINLOOM_SECRET_<NAME> (values behind secret:NAME),
OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME, NO_COLOR.";

/// A person's writing goes in, a language model that writes like them comes out, and stays current.
#[derive(Debug, Parser)]
#[command(name = "twinloom", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Folder of all state: database, feature store, logs, vector index.
    #[arg(
        long,
        global = true,
        env = "TWINLOOM_HOME",
        default_value = ".twinloom",
        value_name = "DIR"
    )]
    pub home: PathBuf,
    /// The feature store, if not HOME/store: file://, s3://, gs:// or az:// (credentials from the environment).
    #[arg(long, global = true, env = "TWINLOOM_STORE", value_name = "URL")]
    pub store: Option<String>,
    /// The metadata database, if not HOME/twinloom.db: sqlite:// or postgres:// (`?sslmode=require` for TLS,
    /// `?sslmode=verify-full` to check the certificate too).
    #[arg(
        long,
        global = true,
        env = "TWINLOOM_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// Run the command on a server, as `http://127.0.0.1:7878`: run, runs, show, logs, approve, reject, cancel, retry,
    /// why, approvals, dags, backfill, user, token, secret, validate, plan, dataset list|show|diff, model
    /// list|show|alias|rollback, experiments list|curves.
    #[arg(long, global = true, env = "TWINLOOM_SERVER", value_name = "URL")]
    pub server: Option<String>,
    /// The API token for it: `twinloom token create NAME` makes one.
    #[arg(
        long,
        global = true,
        env = "TWINLOOM_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub token: Option<String>,
    /// Print JSON: one document, or one line an event and the result last.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented starter project.
    #[command(after_help = "Example:\n  twinloom init my-twin && cd my-twin && twinloom run dags/twin.yaml")]
    Init {
        /// The folder to write into; made if it is not there. No file is overwritten.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Check DAG and pipeline files; report every error at its line.
    #[command(after_help = "Example:\n  twinloom validate dags/*.yaml pipelines/*.yaml")]
    Validate {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Show what a run would do: each task, whether it would run or is cached, and why.
    #[command(after_help = "Example:\n  twinloom plan dags/twin.yaml --param author=Ada")]
    Plan {
        /// The DAG file.
        file: PathBuf,
        /// Parameters.
        #[command(flatten)]
        params: Params,
    },
    /// Format DAG and pipeline files; comments stay.
    Fmt {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Change nothing; exit with 1 if a file is not formatted.
        #[arg(long)]
        check: bool,
    },
    /// Print a JSON Schema: of DAG files, of pipeline files, or of an operator's configuration.
    #[command(after_help = "Examples:\n  twinloom schema dag > dag.schema.json\n  twinloom schema train")]
    Schema {
        /// `dag`, `pipeline`, or an operator's name.
        #[arg(default_value = "dag")]
        of: String,
    },
    /// List the operators, or explain one.
    Operators {
        /// The operator to explain.
        name: Option<String>,
    },
    /// Run a DAG, or go on with a run that was interrupted.
    #[command(after_help = "Examples:
  twinloom run dags/twin.yaml --param author=Ada --param 'sources=[{\"kind\": \"folder\", \"path\": \"writing\"}]'
  twinloom run dags/twin.yaml --approve-as ada --json | tail -n 1
  twinloom run --resume")]
    Run(RunArgs),
    /// List runs, newest first.
    Runs {
        /// Only those of this DAG.
        #[arg(long)]
        dag: Option<String>,
        /// Only those in this state (succeeded, failed, running, waiting, cancelled).
        #[arg(long)]
        state: Option<String>,
        /// At most this many.
        #[arg(short = 'n', long, default_value_t = 20)]
        limit: u64,
    },
    /// Show a run: its tasks, their states, times, figures and outputs.
    Show {
        /// The run's id, or the start of it; `latest` is the newest run.
        run: String,
    },
    /// Print the logs of a run or of one of its tasks.
    Logs {
        /// The run's id, or the start of it, or `latest`.
        run: String,
        /// One task only.
        task: Option<String>,
        /// Keep printing until the run ends.
        #[arg(short, long)]
        follow: bool,
    },
    /// Cancel a run; its processes are ended.
    Cancel {
        /// The run's id, or the start of it, or `latest`.
        run: String,
        /// Why, for the record.
        #[arg(long, default_value = "cancelled from the command line")]
        reason: String,
    },
    /// Run the failed part of a run again, or all from one task on.
    Retry {
        /// The run's id, or the start of it, or `latest`.
        run: String,
        /// Also this task and everything after it, even if they succeeded.
        #[arg(long, value_name = "TASK")]
        from: Option<String>,
        /// Answer approvals in this name.
        #[arg(long, value_name = "NAME")]
        approve_as: Option<String>,
    },
    /// List what waits for a person.
    Approvals,
    /// Approve what a run waits for, and go on with the run.
    #[command(after_help = "Example:\n  twinloom approve latest --as ada --comment 'reads like me'")]
    Approve(DecideArgs),
    /// Reject what a run waits for.
    Reject(DecideArgs),
    /// Datasets and their versions.
    #[command(subcommand)]
    Dataset(DatasetCommand),
    /// Models, their versions and aliases.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Experiments: trainings and searches with their parameters, figures and curves.
    #[command(subcommand)]
    Experiments(ExperimentsCommand),
    /// The feature store: verify, collect garbage, rebuild the index.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Ask a model a question; the answer cites the author's own documents.
    #[command(
        after_help = "Example:\n  twinloom ask 'What is a feature store?' --model twin@production -k 3"
    )]
    Ask(AskArgs),
    /// Explain why a run's tasks ran, were cached, skipped, or wait.
    Why {
        /// The run's id, or the start of it, or `latest`.
        run: String,
        /// One task only.
        task: Option<String>,
    },
    /// Stay up: go on with interrupted runs, and with runs that others approve or retry.
    Scheduler,
    /// Start scheduler, API and web UI in one process.
    #[command(after_help = "Examples:
  twinloom up
  twinloom up --dags my-twin/dags --home my-twin/.twinloom --port 8080
  twinloom up --otlp http://127.0.0.1:4318
  twinloom user create ada --role admin && twinloom up --bind 0.0.0.0 --host-name twin.example")]
    Up(UpArgs),
    /// DAGs of a server: list, show, pause, resume, next times, why they did or did not run.
    #[command(
        after_help = "Examples:\n  twinloom dags --server http://127.0.0.1:7878\n  twinloom dags pause twin --server http://127.0.0.1:7878"
    )]
    Dags {
        /// What to do; without it, list them.
        #[command(subcommand)]
        command: Option<DagsCommand>,
    },
    /// Run a DAG of a server for schedule times of the past.
    #[command(
        after_help = "Example:\n  twinloom backfill twin --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --preview --server http://127.0.0.1:7878"
    )]
    Backfill(BackfillArgs),
    /// Users of the server; the first one turns the login on.
    #[command(
        subcommand,
        after_help = "Examples:\n  twinloom user create ada --role admin\n  twinloom user create bob --role operator --role approver --password-stdin < password.txt"
    )]
    User(UserCommand),
    /// API tokens.
    #[command(
        subcommand,
        after_help = "Example:\n  twinloom token create ci --user ada --scope read --scope operate --days 30"
    )]
    Token(TokenCommand),
    /// Secrets, kept encrypted and used as `secret:NAME`.
    #[command(
        subcommand,
        after_help = "Example:\n  printf %s \"$HOOK\" | twinloom secret set PUBLISH_HOOK"
    )]
    Secret(SecretCommand),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  twinloom completions bash > ~/.local/share/bash-completion/completions/twinloom"
    )]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Run one task of the worker protocol from stdin (the scheduler starts this).
    #[command(hide = true)]
    Worker,
}
