//! Options of the server: `up`, and the commands about its DAGs, users, tokens and secrets.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use twinloom_server::{Permission, Role};

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
    /// A name under which browsers reach it, beside those of loopback and the address it listens on. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub host_name: Vec<String>,
    /// How browsers reach it, for links in notifications, if not http://NAME:PORT: behind a proxy as https://twin.example.
    #[arg(long, value_name = "URL", value_parser = page_url)]
    pub page_url: Option<String>,
    /// Tasks at a time, if not one a core.
    #[arg(short = 'j', long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Requests a second that one address may make, ten times as many in a burst.
    #[arg(long, default_value_t = 500, value_name = "N")]
    pub requests_per_second: u32,
    /// Tell this OpenTelemetry collector of runs, their tasks and attempts, by OTLP over HTTP.
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        value_name = "URL",
        hide_env_values = true
    )]
    pub otlp: Option<String>,
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

/// The address of a page, as it was given.
fn page_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("write it as https://twin.example".to_owned());
    }
    Ok(text.to_owned())
}
