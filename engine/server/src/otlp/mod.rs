//! OpenTelemetry: every run that ends here is told to a collector as a trace, over OTLP/HTTP.

mod spans;

use std::time::Duration;

use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanExporter as _},
};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use twinloom_meta::{Meta, MetaError};
use twinloom_runtime::{Engine, EngineEvent};

use crate::error::ServerError;

/// Where a collector takes traces, below its address.
const PATH: &str = "/v1/traces";
/// Runs that wait to be told; more are left out.
const BACKLOG: usize = 10_000;
/// Runs that are told in one request.
const AT_ONCE: usize = 64;
/// A request takes at most so long.
const LONGEST: Duration = Duration::from_secs(10);
/// Waits before a request is made again; after the last the runs are left out.
const AGAIN: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
/// What is left is told for so long when the server stops.
const LAST: Duration = Duration::from_secs(3);

/// Tells of runs until it is stopped.
pub struct Teller {
    stop: CancellationToken,
    listening: JoinHandle<()>,
    telling: JoinHandle<()>,
}

impl Teller {
    /// Starts to tell a collector, as `http://127.0.0.1:4318`, of the runs of this engine. Headers are taken from
    /// `OTEL_EXPORTER_OTLP_HEADERS`, the service's name from `OTEL_SERVICE_NAME` (`twinloom` unless set).
    ///
    /// # Errors
    /// `server.otlp` where the address cannot be one.
    pub fn start(engine: &Engine, meta: Meta, collector: &str) -> Result<Self, ServerError> {
        let exporter = exporter(collector)?;
        let (sender, runs) = mpsc::channel(BACKLOG);
        let stop = CancellationToken::new();
        Ok(Self {
            listening: tokio::spawn(listen(engine.subscribe(), sender, stop.clone())),
            telling: tokio::spawn(tell(exporter, meta, runs)),
            stop,
        })
    }

    /// Tells what is left, and ends.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if timeout(LAST, &mut self.telling).await.is_err() {
            self.telling.abort();
        }
        self.listening.abort();
    }
}

fn exporter(collector: &str) -> Result<SpanExporter, ServerError> {
    let wrong = |reason: String| ServerError::Otlp { reason };
    let url = url::Url::parse(collector).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("it is not an http(s) address".to_owned()));
    }
    let base = collector.trim_end_matches('/');
    let endpoint = if base.ends_with(PATH) {
        base.to_owned()
    } else {
        format!("{base}{PATH}")
    };
    // Followed redirects could carry the headers to another host.
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(LONGEST)
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint)
        .with_timeout(LONGEST)
        .build()
        .map_err(|error| wrong(error.to_string()))?;
    let name = std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "twinloom".to_owned());
    exporter.set_resource(&Resource::builder().with_service_name(name).build());
    Ok(exporter)
}

/// Passes on which runs have ended; does nothing that takes time, so that no event is missed.
async fn listen(
    mut events: broadcast::Receiver<EngineEvent>,
    sender: mpsc::Sender<String>,
    stop: CancellationToken,
) {
    loop {
        let event = tokio::select! {
            biased;
            event = events.recv() => event,
            () = stop.cancelled() => return,
        };
        match event {
            Ok(EngineEvent::Run { run, state, .. }) if state.ended() => {
                if sender.try_send(run.to_string()).is_err() {
                    tracing::warn!(%run, "the trace of a run is left out: the collector is too slow");
                }
            }
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(events)) => {
                tracing::warn!(events, "traces of runs may be missing: events came too fast");
            }
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn tell(exporter: SpanExporter, meta: Meta, mut runs: mpsc::Receiver<String>) {
    let mut ended = Vec::new();
    while runs.recv_many(&mut ended, AT_ONCE).await > 0 {
        let mut batch = Vec::new();
        for run in ended.drain(..) {
            match of_run(&meta, &run).await {
                Ok(spans) => batch.extend(spans),
                Err(error) => tracing::warn!(run, %error, "the trace of a run is left out"),
            }
        }
        send(&exporter, batch).await;
    }
}

async fn of_run(meta: &Meta, run: &str) -> Result<Vec<SpanData>, MetaError> {
    let head = meta.run_head(run).await?;
    let (tasks, attempts) = (meta.tasks(run).await?, meta.attempts(run, None).await?);
    Ok(spans::of(&head, &tasks, &attempts))
}

async fn send(exporter: &SpanExporter, batch: Vec<SpanData>) {
    for wait in AGAIN {
        match exporter.export(batch.clone()).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, "a collector did not take traces"),
        }
        sleep(wait).await;
    }
    if let Err(error) = exporter.export(batch).await {
        tracing::warn!(%error, "traces are left out: the collector does not take them");
    }
}
