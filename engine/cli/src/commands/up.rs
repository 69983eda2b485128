//! `twinloom up`: scheduler, API and web UI in one process.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use tracing_subscriber::EnvFilter;
use twinloom_runtime::{
    Clock, Service, ServiceConfig, SystemClock,
    dags::{DagFolder, DagFolders},
};
use twinloom_server::{Server, ServerConfig, Vault};

use crate::{app::App, args::UpArgs, error::CliError, output, signals};

/// Runs until it is asked to stop.
///
/// # Errors
/// What a part says on starting.
pub async fn run(app: &App, args: &UpArgs) -> Result<(), CliError> {
    log(args.log_json);
    let folders = folders(args);
    if !args.dags.is_dir() {
        output::say(&format!(
            "there is no folder `{}` yet: `twinloom init` writes a starter project",
            args.dags.display()
        ));
    }
    let engine = app.engine(args.jobs).await?;
    let registry = Arc::clone(&app.registry);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let dags = DagFolder::open(folders, registry, clock)?;
    let meta = engine.config().meta.clone();
    let vault = Arc::new(Vault::new(meta, &engine.config().home));
    let service = Service::start(engine, dags, ServiceConfig::default()).await?;
    let config = ServerConfig {
        address: SocketAddr::new(args.bind, args.port),
        host_names: args.host_name.clone(),
        requests_per_second: args.requests_per_second,
        otlp: args.otlp.clone(),
        page: args.page_url.clone(),
        ..ServerConfig::default()
    };
    let server = match Server::start(service.clone(), vault, config).await {
        Ok(server) => server,
        Err(error) => {
            service.shutdown().await;
            return Err(error.into());
        }
    };
    let url = format!("http://{}", server.address());
    if app.global.json {
        output::json(&json!({ "ready": true, "url": url }))?;
    } else {
        output::line(&url);
        output::say("scheduler, API and web UI are up; Ctrl-C stops them");
    }
    signals::interrupted().await;
    if !app.global.json {
        output::say("stopping; runs that are not over go on at the next start");
    }
    server.shutdown().await;
    // A worker that does not end is no reason to hang for ever.
    let _ = tokio::time::timeout(Duration::from_secs(20), service.shutdown()).await;
    Ok(())
}

/// Pipelines are looked for beside the folder of DAGs, and in it.
fn folders(args: &UpArgs) -> DagFolders {
    let beside = || {
        let absolute = args.dags.canonicalize().unwrap_or_else(|_| args.dags.clone());
        absolute.parent().map(|parent: &Path| parent.join("pipelines"))
    };
    let pipelines: Option<PathBuf> = args.pipelines.clone().or_else(beside);
    DagFolders {
        dags: vec![args.dags.clone()],
        pipelines: pipelines.into_iter().collect(),
    }
}

/// Words of the process on stderr, by `TWINLOOM_LOG` (`info` unless set), as lines or as JSON.
fn log(json: bool) {
    let filter =
        EnvFilter::try_from_env("TWINLOOM_LOG").unwrap_or_else(|_| EnvFilter::new("warn,twinloom=info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // Fails only where a subscriber is set already.
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.with_target(false).try_init()
    };
}
