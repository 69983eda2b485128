//! The command line: every command, option and example that `--help` shows.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;
use twinloom_server::{Permission, Role};

const EXIT_CODES: &str = "Exit codes:
  0  done; for a run: it succeeded
  1  failed; for a run: a task failed
  2  the command line, a file or a parameter is wrong
  3  no such run, task, dataset, model or version
  4  the run waits for approval (`twinloom approve RUN --as NAME` goes on with it)
  5  the run was cancelled or rejected

Environment: TWINLOOM_HOME, TWINLOOM_STORE, TWINLOOM_DATABASE, TWINLOOM_TORCH (the worker binary), TWINLOOM_EMBEDDER
(the embedder's folder),
TWINLOOM_SERVER, TWINLOOM_TOKEN, TWINLOOM_LOG, TWINLOOM_SECRET_<NAME> (values behind secret:NAME), NO_COLOR.";

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
    /// The metadata database, if not HOME/twinloom.db: sqlite:// or postgres://.
    #[arg(
        long,
        global = true,
        env = "TWINLOOM_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// Run the command on a server, as `http://127.0.0.1:7878`: run, runs, show, logs, approve, reject, cancel, retry,
    /// why, approvals, dags, backfill, user, token, secret, dataset list, model list.
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

/// Options of `up`.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// The port; 0 takes any that is free.
    #[arg(long, default_value_t = 7878)]
    pub port: u16,
    /// The address to listen on. Anything but loopback needs a user who can log in.
    #[arg(long, default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Folder of DAG files; it is watched.
    #[arg(long, default_value = "dags", value_name = "DIR")]
    pub dags: PathBuf,
    /// Folder of pipelines, if not `pipelines` beside it.
    #[arg(long, value_name = "DIR")]
    pub pipelines: Option<PathBuf>,
    /// A name under which browsers reach it, beside those of loopback. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub host_name: Vec<String>,
    /// Tasks at a time, if not one a core.
    #[arg(short = 'j', long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Requests a second that one address may make, ten times as many in a burst.
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub requests_per_second: u32,
    /// Log as JSON lines.
    #[arg(long)]
    pub log_json: bool,
}

/// `twinloom dags …`.
#[derive(Debug, Clone, Default, Subcommand)]
pub enum DagsCommand {
    /// List them.
    #[default]
    List,
    /// Show one with its triggers and diagnostics.
    Show {
        /// The DAG.
        name: String,
    },
    /// Hold its triggers.
    Pause {
        /// The DAG.
        name: String,
    },
    /// Let its triggers go on.
    Resume {
        /// The DAG.
        name: String,
    },
    /// The next times at which it runs.
    Fires {
        /// The DAG.
        name: String,
    },
    /// What its triggers decided, and why.
    Why {
        /// The DAG.
        name: String,
    },
}

/// Options of `backfill`.
#[derive(Debug, Clone, Args)]
pub struct BackfillArgs {
    /// The DAG.
    pub dag: String,
    /// From this time on, as `2026-01-01T00:00:00Z`.
    #[arg(long)]
    pub from: Timestamp,
    /// Up to and with this time.
    #[arg(long)]
    pub to: Timestamp,
    /// Only list the times.
    #[arg(long)]
    pub preview: bool,
}

/// `twinloom user …`.
#[derive(Debug, Clone, Subcommand)]
pub enum UserCommand {
    /// List them.
    List,
    /// Make one; the password is drawn and told, unless it comes by stdin.
    Create {
        /// The name.
        name: String,
        /// `viewer`, `operator`, `approver` or `admin`; may be repeated.
        #[arg(long, required = true)]
        role: Vec<Role>,
        /// Read the password from stdin.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set a new password; sessions end.
    Password {
        /// The name.
        name: String,
        /// Read the password from stdin.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove one with sessions and tokens.
    Remove {
        /// The name.
        name: String,
    },
}

/// `twinloom token …`.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// List them.
    List,
    /// Make one; it is told once.
    Create {
        /// What it is for.
        name: String,
        /// Whose it is; with --server it is the caller's.
        #[arg(long)]
        user: Option<String>,
        /// `read`, `operate`, `approve` or `admin`; may be repeated.
        #[arg(long, default_value = "read")]
        scope: Vec<Permission>,
        /// Days until it ends.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// Remove one.
    Remove {
        /// Its id.
        id: String,
    },
}

/// `twinloom secret …`.
#[derive(Debug, Clone, Subcommand)]
pub enum SecretCommand {
    /// List the names; values are never shown.
    List,
    /// Set one; the value is read from stdin.
    Set {
        /// The name, as in `secret:NAME`.
        name: String,
    },
    /// Remove one.
    Remove {
        /// The name.
        name: String,
    },
}

/// Parameters of a DAG.
#[derive(Debug, Clone, Default, Args)]
pub struct Params {
    /// A parameter; the value is read as YAML or JSON, unless it is declared as text. May be repeated.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Folder of pipelines, if not `pipelines` beside the file or beside its folder.
    #[arg(long, value_name = "DIR")]
    pub pipelines: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The DAG file; may be left out with --resume.
    #[arg(required_unless_present = "resume")]
    pub file: Option<PathBuf>,
    /// Parameters.
    #[command(flatten)]
    pub params: Params,
    /// Approve whatever the run asks, in this name (recorded as such).
    #[arg(long, value_name = "NAME")]
    pub approve_as: Option<String>,
    /// Go on with an interrupted or waiting run: this one, or the newest.
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest")]
    pub resume: Option<String>,
    /// Tasks at a time, if not one a core.
    #[arg(short = 'j', long, value_name = "N")]
    pub jobs: Option<usize>,
    /// While it waits for approval keep waiting, instead of ending with exit code 4.
    #[arg(long)]
    pub wait: bool,
    /// Reuse no earlier results.
    #[arg(long)]
    pub no_cache: bool,
}

/// Options of `approve` and `reject`.
#[derive(Debug, Clone, Args)]
pub struct DecideArgs {
    /// The run's id, or the start of it, or `latest`.
    pub run: String,
    /// Who decides.
    #[arg(long = "as", value_name = "NAME")]
    pub by: String,
    /// The task, where several wait.
    #[arg(long)]
    pub task: Option<String>,
    /// In your words, for the record.
    #[arg(long)]
    pub comment: Option<String>,
    /// Record the decision only; leave going on with the run to a scheduler or `run --resume`.
    #[arg(long)]
    pub record_only: bool,
}

/// `twinloom dataset …`; NAME is `name`, VERSION a number, a tag, or `latest`.
#[derive(Debug, Subcommand)]
pub enum DatasetCommand {
    /// List the datasets.
    List,
    /// List the versions of a dataset, newest first.
    Versions {
        /// The dataset's name.
        name: String,
    },
    /// Show a version: schema, statistics, producer, inputs, changes.
    Show {
        /// NAME or NAME@VERSION.
        reference: String,
    },
    /// Print the first rows.
    Head {
        /// NAME or NAME@VERSION.
        reference: String,
        /// How many rows.
        #[arg(short = 'n', default_value_t = 10)]
        rows: usize,
        /// Only these columns.
        #[arg(short, long, value_delimiter = ',')]
        columns: Option<Vec<String>>,
    },
    /// Print the paths of the Parquet files, for any other tool.
    Path {
        /// NAME or NAME@VERSION.
        reference: String,
    },
    /// Compare two versions by key.
    Diff {
        /// NAME@VERSION, the earlier.
        from: String,
        /// NAME@VERSION, the later.
        to: String,
    },
    /// Show what a version was made from, and what was made from it.
    Lineage {
        /// NAME or NAME@VERSION.
        reference: String,
    },
    /// Point a tag at a version.
    Tag {
        /// NAME@VERSION.
        reference: String,
        /// The tag.
        tag: String,
        /// Who.
        #[arg(long = "as", value_name = "NAME", default_value = "")]
        by: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Write a version to a folder that other tools read.
    Export {
        /// NAME or NAME@VERSION.
        reference: String,
        /// The folder; made if it is not there.
        dir: PathBuf,
        /// The format; Parquet comes with a dataset card.
        #[arg(long, value_enum, default_value_t = Format::Parquet)]
        format: Format,
    },
    /// Publish a version from a Parquet, JSONL, CSV, JSON or Arrow file or folder.
    Import {
        /// The dataset's name.
        name: String,
        /// The file or folder.
        path: PathBuf,
        /// Key columns; the first is the entity key.
        #[arg(short, long, value_delimiter = ',')]
        keys: Vec<String>,
    },
}

/// Formats of `dataset export`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// Parquet files and a dataset card.
    Parquet,
    /// JSON lines.
    Jsonl,
    /// Arrow IPC.
    Arrow,
}

/// `twinloom model …`.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// List the models, with versions and aliases.
    List,
    /// List the versions of a model, newest first.
    Versions {
        /// The model's name.
        name: String,
    },
    /// Show a version: card, figures, lineage, files.
    Show {
        /// NAME, NAME@VERSION or NAME@ALIAS.
        reference: String,
    },
    /// Write a version's files to a folder (an adapter loads in PEFT as it is).
    Checkout {
        /// NAME, NAME@VERSION or NAME@ALIAS.
        reference: String,
        /// The folder; made if it is not there.
        dir: PathBuf,
    },
    /// Write the report of the last evaluation of a version: one HTML page that needs nothing else.
    #[command(after_help = "Example:\n  twinloom model report twin@production --out report.html")]
    Report {
        /// NAME, NAME@VERSION or NAME@ALIAS of the model.
        reference: String,
        /// The file to write; without it `NAME-VERSION.html` here.
        #[arg(short, long)]
        out: Option<PathBuf>,
    },
    /// Write a version with all that other programs need to run it: an adapter with its base in `DIR/base`.
    #[command(after_help = "Examples:
  twinloom model export twin@production out/twin             # for PEFT and vLLM
  twinloom model export twin@production out/twin --merged    # one whole checkpoint")]
    Export {
        /// NAME, NAME@VERSION or NAME@ALIAS.
        reference: String,
        /// The folder; made if it is not there.
        dir: PathBuf,
        /// One whole checkpoint, with the adapter's changes in the weights, for programs that know no adapters.
        #[arg(long)]
        merged: bool,
    },
    /// Point an alias at a version, for instance back at an earlier one.
    Alias {
        /// NAME@VERSION.
        reference: String,
        /// The alias: `production`, `accepted`, `candidate`.
        alias: String,
        /// Who.
        #[arg(long = "as", value_name = "NAME")]
        by: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// `twinloom experiments …`; an experiment is named RUN/TASK, all of a run by RUN (an id, the start of it, or `latest`).
#[derive(Debug, Subcommand)]
pub enum ExperimentsCommand {
    /// List experiments, newest first.
    List {
        /// Only those of this DAG.
        #[arg(long)]
        dag: Option<String>,
        /// Only those of this step, such as `training/train`.
        #[arg(long)]
        step: Option<String>,
        /// Only those of this operator.
        #[arg(long)]
        operator: Option<String>,
        /// The metric to show.
        #[arg(long, default_value = "eval_loss")]
        metric: String,
        /// At most this many.
        #[arg(short = 'n', long, default_value_t = 20)]
        limit: usize,
    },
    /// Put experiments side by side: parameters, configuration, versions, code, figures.
    #[command(after_help = "Example:\n  twinloom experiments compare 01JX4 01JX7/training/train")]
    Compare {
        /// RUN or RUN/TASK.
        #[arg(required = true)]
        experiments: Vec<String>,
        /// Also what is equal in all of them.
        #[arg(long)]
        all: bool,
    },
    /// Show the curves that experiments reported.
    #[command(after_help = "Example:\n  twinloom experiments curves latest --metric eval_loss --json")]
    Curves {
        /// RUN or RUN/TASK.
        #[arg(required = true)]
        experiments: Vec<String>,
        /// Only this metric.
        #[arg(long)]
        metric: Option<String>,
    },
}

/// `twinloom store …`.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Check the hash of every file that a version refers to.
    Verify,
    /// Remove what no version, tag or alias keeps.
    Gc {
        /// Only say what would go.
        #[arg(long)]
        dry_run: bool,
        /// Keep files younger than this many hours: a running task may be about to publish them.
        #[arg(long, default_value_t = 24)]
        grace_hours: u64,
        /// Also drop all but this many newest versions of each dataset (tags and lineage of models keep theirs).
        #[arg(long)]
        keep_versions: Option<u64>,
    },
    /// Rebuild the database's index of versions from the store.
    Reindex,
}

/// Options of `ask`.
#[derive(Debug, Clone, Args)]
pub struct AskArgs {
    /// The question.
    pub question: String,
    /// The model: NAME@ALIAS or NAME@VERSION.
    #[arg(short, long, default_value = "twin@production")]
    pub model: String,
    /// The dataset to retrieve from.
    #[arg(long, default_value = "embedded_chunks")]
    pub chunks: String,
    /// The vector collection of that dataset.
    #[arg(long, default_value = "chunks")]
    pub collection: String,
    /// How many passages to ground the answer in.
    #[arg(short = 'k', long, default_value_t = 4)]
    pub passages: usize,
    /// A cross-encoder that chooses them: its folder, or its name on the hub.
    #[arg(long, value_name = "MODEL")]
    pub reranker: Option<String>,
    /// Nearest passages that the reranker reads.
    #[arg(long, default_value_t = 32, requires = "reranker")]
    pub candidates: usize,
    /// Longest answer, in tokens.
    #[arg(long, default_value_t = 160)]
    pub max_tokens: usize,
    /// 0 always picks the likeliest token.
    #[arg(long, default_value_t = 0.7)]
    pub temperature: f64,
    /// Seed of the sampling.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}
