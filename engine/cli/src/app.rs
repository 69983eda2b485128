//! The composition root: where state lives, and the parts put together.

use std::{collections::BTreeMap, env, fs, path::PathBuf, sync::Arc};

use twinloom_meta::Meta;
use twinloom_runtime::{Engine, EngineConfig, Programs, SystemClock};
use twinloom_sdk::Registry;
use twinloom_server::Vault;
use twinloom_store::{FeatureStore, StoreLocation};

use crate::{args::Global, error::CliError};

/// Everything that a command may need, opened when it is needed.
pub struct App {
    /// Options of every command.
    pub global: Global,
    /// The operators.
    pub registry: Arc<Registry>,
}

impl App {
    /// Nothing is opened yet.
    pub fn new(global: Global) -> Self {
        Self {
            global,
            registry: Arc::new(twinloom_operators::registry()),
        }
    }

    /// The home folder, absolute; made if it is not there.
    ///
    /// # Errors
    /// `home.unwritable`.
    pub fn home(&self) -> Result<PathBuf, CliError> {
        let home = &self.global.home;
        let made = fs::create_dir_all(home).and_then(|()| home.canonicalize());
        made.map_err(|error| {
            CliError::failed(
                "home.unwritable",
                format!("the home folder `{}` cannot be used: {error}", home.display()),
                "Choose another with --home DIR, or mend its permissions.",
            )
        })
    }

    /// The feature store.
    ///
    /// # Errors
    /// What the store says.
    pub async fn store(&self) -> Result<FeatureStore, CliError> {
        let url = match &self.global.store {
            Some(url) => url.clone(),
            None => format!("file://{}", self.home()?.join("store").display()),
        };
        Ok(FeatureStore::open(&StoreLocation::new(url)).await?)
    }

    /// The metadata database, migrated.
    ///
    /// # Errors
    /// What the database says.
    pub async fn meta(&self) -> Result<Meta, CliError> {
        let url = match &self.global.database {
            Some(url) => url.clone(),
            None => format!("sqlite://{}", self.home()?.join("twinloom.db").display()),
        };
        Ok(Meta::connect(&url).await?)
    }

    /// The scheduler, started.
    ///
    /// # Errors
    /// What a part says on opening.
    pub async fn engine(&self, jobs: Option<usize>) -> Result<Engine, CliError> {
        let (store, meta, home) = (self.store().await?, self.meta().await?, self.home()?);
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let config = EngineConfig {
            secrets: Arc::new(Vault::new(meta.clone(), &home)),
            home,
            store,
            meta,
            registry: Arc::clone(&self.registry),
            programs: self.programs()?,
            clock: Arc::new(SystemClock::default()),
            max_parallel: jobs.unwrap_or(cores).max(1),
            pools: BTreeMap::new(),
            code_revision: code_revision(),
        };
        Ok(Engine::start(config).await?)
    }

    /// The programs that the process executor starts.
    ///
    /// # Errors
    /// When this program cannot tell its own path.
    pub fn programs(&self) -> Result<Programs, CliError> {
        let own = env::current_exe()?;
        Ok(Programs {
            worker: vec![own.into_os_string(), "worker".into()],
            torch: self.torch()?,
        })
    }

    /// The libtorch worker: `TWINLOOM_TORCH`, else `twinloom-torch` beside this program.
    ///
    /// # Errors
    /// When this program cannot tell its own path.
    pub fn torch(&self) -> Result<Option<PathBuf>, CliError> {
        if let Some(path) = env::var_os("TWINLOOM_TORCH") {
            return Ok(Some(path.into()));
        }
        let own = env::current_exe()?;
        let beside = own
            .parent()
            .map(|dir| dir.join("twinloom-torch"))
            .filter(|path| path.is_file());
        // Test binaries live in a folder below the one that the workspace's programs are in.
        let above = || {
            own.parent()?
                .parent()
                .map(|dir| dir.join("twinloom-torch"))
                .filter(|path| path.is_file())
        };
        Ok(beside.or_else(above))
    }
}

/// The revision of the folder that the program runs in, `-dirty` where files differ from it; none outside of git.
fn code_revision() -> Option<String> {
    let output = std::process::Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let revision = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !revision.is_empty()).then_some(revision)
}
