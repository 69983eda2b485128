//! Commands about what is stored: datasets, models, experiments, the store itself.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

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
        /// Who; a server knows by the token.
        #[arg(long = "as", value_name = "NAME")]
        by: Option<String>,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Point an alias back at the version that it pointed at before.
    #[command(
        after_help = "Example:\n  twinloom model rollback twin production --as ada --reason 'answers in riddles'"
    )]
    Rollback {
        /// The model's name.
        name: String,
        /// The alias.
        alias: String,
        /// Who; a server knows by the token.
        #[arg(long = "as", value_name = "NAME")]
        by: Option<String>,
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
        /// Also drop all but this many newest versions of each dataset.
        ///
        /// What is dropped can no longer be read by name at once; its files go at a later collection, after the
        /// grace period. Model versions stay. Kept are, besides:
        /// - versions that are tagged or younger than the grace period;
        /// - what runs that have not ended have made and were given;
        /// - what the newest version of each dataset was made from;
        /// - what models were made from that have an alias (or had it before), belong to a run that has not ended,
        ///   or are among as many newest of their name;
        /// - evaluations of such models with an alias.
        #[arg(long, verbatim_doc_comment)]
        keep_versions: Option<u64>,
    },
    /// Rebuild the database's index of versions from the store.
    Reindex,
}
