//! The server: binding, layers, graceful end.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{
    catch_panic::CatchPanicLayer, compression::CompressionLayer, limit::RequestBodyLimitLayer,
    timeout::TimeoutLayer,
};
use twinloom_runtime::Service;

use crate::{
    auth::{accounts::Accounts, gate, policy::Policy},
    error::ServerError,
    http::{
        guard, idempotency,
        problem::{Problem, panicked},
        rate,
    },
    live::hub::Hub,
    metrics::Metrics,
    notify, openapi,
    otlp::Teller,
    queue,
    secrets::Vault,
    state::{App, Shared},
    ui,
};

/// Largest body of a request, in bytes: a DAG file is at most 1 MiB.
pub const MOST_BODY: usize = 2 << 20;
/// A request that takes longer than this is given up; streams are not affected.
const LONGEST: Duration = Duration::from_secs(60);
/// Whoever does not answer within this is not ready.
const READY: Duration = Duration::from_secs(2);
/// Open answers get this long when the server stops.
const GRACE: Duration = Duration::from_secs(3);

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen; port 0 takes any.
    pub address: SocketAddr,
    /// Names under which it may be asked for, beside those of loopback and the address itself.
    pub host_names: Vec<String>,
    /// Requests a second that one address may make, ten times that in a burst.
    pub requests_per_second: u32,
    /// How people reach the web UI, for links in notifications: `https://twin.example`. Unless given, `http://`, the first
    /// of its names or else its address, and its port.
    pub page: Option<String>,
    /// How often the readers of live streams are looked up again: whoever has logged out is cut off after this.
    pub look_again: Duration,
    /// The OpenTelemetry collector that is told of runs, as `http://127.0.0.1:4318`.
    pub otlp: Option<String>,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 7878)),
            host_names: Vec::new(),
            requests_per_second: 500,
            page: None,
            look_again: Duration::from_secs(30),
            otlp: None,
        }
    }
}

/// A server that listens.
pub struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
    writes: TaskTracker,
    helpers: Vec<JoinHandle<()>>,
    teller: Option<Teller>,
}

impl Server {
    /// Binds and serves. The service stays the caller's: it outlives the server.
    ///
    /// # Errors
    /// `server.bind`, `server.needs_login` (an address that is not loopback or a name that others ask for, without users),
    /// `server.otlp`; what the database says.
    pub async fn start(
        service: Service,
        secrets: Arc<Vault>,
        config: ServerConfig,
    ) -> Result<Self, ServerError> {
        let engine = service.engine().clone();
        let meta = engine.config().meta.clone();
        let reachable = reachable(&config);
        if let Some(at) = &reachable
            && !meta.has_users().await?
        {
            return Err(ServerError::NeedsLogin { at: at.clone() });
        }
        let bind = |source| ServerError::Bind {
            address: config.address,
            source,
        };
        let listener = TcpListener::bind(config.address).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let teller = match &config.otlp {
            Some(collector) => Some(Teller::start(&engine, meta.clone(), collector)?),
            None => None,
        };
        idempotency::free_claims(&meta).await?;
        let writes = TaskTracker::new();
        let metrics = Metrics::new();
        let (live, hub) = Hub::start(meta.clone(), &engine);
        let (routes, document) = openapi::routes();
        let text =
            serde_json::to_string(&document).map_err(|error| ServerError::Document(error.to_string()))?;
        let page = page(&config, address);
        // Not the engine's: two servers over one engine must be told apart.
        let owner = ulid::Ulid::generate().to_string();
        let notify = notify::start(meta.clone(), Arc::clone(&secrets), owner, page);
        let queues = tokio::spawn(queue::listen(service.clone()));
        let helpers = vec![hub, notify, queues, metrics.watch(&engine, meta.clone())];
        let app: Shared = Arc::new(App {
            store: engine.config().store.clone(),
            registry: Arc::clone(&engine.config().registry),
            home: engine.config().home.clone(),
            accounts: Accounts::of_server(meta.clone(), reachable.is_some()),
            policy: Policy::of(&document),
            secrets,
            service,
            writes: writes.clone(),
            rates: rate::Rates::new(config.requests_per_second.max(1)),
            noted: rate::Rates::new(1),
            document: text.into(),
            host_names: names(config.host_names, address),
            engine,
            meta,
            look_again: config.look_again,
            live,
            metrics,
            address,
        });
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(listener, router(routes, app), stop.clone()));
        Ok(Self {
            address,
            stop,
            serving,
            writes,
            helpers,
            teller,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening, gives open answers a moment, and ends.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(GRACE, &mut self.serving).await.is_err() {
            // Streams have no end of their own.
            self.serving.abort();
        }
        self.writes.close();
        if tokio::time::timeout(GRACE, self.writes.wait()).await.is_err() {
            tracing::warn!(writes = self.writes.len(), "the server ends before these writes");
        }
        for helper in &self.helpers {
            helper.abort();
        }
        if let Some(teller) = self.teller {
            teller.shutdown().await;
        }
    }
}

/// How people reach the web UI, without a slash at its end.
fn page(config: &ServerConfig, address: SocketAddr) -> String {
    if let Some(page) = &config.page {
        return page.trim_end_matches('/').to_owned();
    }
    let port = address.port();
    match config.host_names.first() {
        Some(name) if name.parse::<Ipv6Addr>().is_ok() => format!("http://[{name}]:{port}"),
        Some(name) => format!("http://{name}:{port}"),
        // Every address of the machine, and so none to write down.
        None if address.ip().is_unspecified() => format!("http://localhost:{port}"),
        None => format!("http://{address}"),
    }
}

/// The names under which it may be asked for: the address that it listens on is one, where it is one address.
fn names(mut names: Vec<String>, address: SocketAddr) -> Vec<String> {
    if !address.ip().is_unspecified() {
        names.push(address.ip().to_string());
    }
    names
}

/// Where others can reach the server: its address, or a name that a proxy before it passes on.
fn reachable(config: &ServerConfig) -> Option<String> {
    if !config.address.ip().to_canonical().is_loopback() {
        return Some(config.address.to_string());
    }
    let here = |name: &String| {
        name == "localhost"
            || name
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback())
    };
    config.host_names.iter().find(|name| !here(name)).cloned()
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the server ended");
    }
}

fn router(routes: Router<Shared>, app: Shared) -> Router {
    let api = routes
        .method_not_allowed_fallback(not_allowed)
        .route_layer(middleware::from_fn_with_state(app.clone(), idempotency::once))
        .route_layer(middleware::from_fn_with_state(app.clone(), gate::gate))
        .layer(middleware::from_fn_with_state(app.clone(), timed));
    Router::new()
        .merge(api)
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(figures))
        .fallback(ui::serve)
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            LONGEST,
        ))
        .layer(RequestBodyLimitLayer::new(MOST_BODY))
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(app.clone(), rate::limit))
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(guard::secure))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(app)
}

async fn not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "request.method",
        "this address does not take that method",
        "GET /api/v1/openapi.json lists what there is.",
    )
}

/// Whether the database and the scheduler answer.
async fn ready(State(app): State<Shared>) -> Response {
    let asked = async {
        app.meta.last_event().await?;
        app.service.ping().await?;
        Ok::<_, Problem>(())
    };
    let late = || {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "server.not_ready",
            format!(
                "the database or the scheduler does not answer within {} s",
                READY.as_secs()
            ),
            "Ask again; if it stays so, look at the server's log.",
        )
    };
    match tokio::time::timeout(READY, asked)
        .await
        .unwrap_or_else(|_| Err(late()))
    {
        Ok(()) => "ready".into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn figures(State(app): State<Shared>) -> Response {
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    match app.metrics.render(&app.meta).await {
        Ok(figures) => (text, figures).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Times and counts requests by route.
async fn timed(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let response = next.run(request).await;
    let path = path.as_deref().unwrap_or("other");
    let (status, took) = (response.status(), started.elapsed());
    let labels = [
        ("route", path),
        ("method", method.as_str()),
        ("status", status.as_str()),
    ];
    app.metrics.count("twinloom_http_requests_total", &labels);
    app.metrics
        .time("twinloom_http_request_seconds", &labels[..1], took.as_secs_f64());
    tracing::debug!(%method, path, status = status.as_u16(), ms = took.as_millis(), "request");
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn links_lead_to_where_it_is_reached() {
        let of = |page: Option<&str>, names: &[&str], address: &str| {
            let config = ServerConfig {
                page: page.map(str::to_owned),
                host_names: names.iter().map(|&name| name.to_owned()).collect(),
                ..ServerConfig::default()
            };
            super::page(&config, address.parse().unwrap())
        };
        assert_eq!(of(None, &[], "127.0.0.1:7878"), "http://127.0.0.1:7878");
        assert_eq!(of(None, &[], "192.168.1.5:80"), "http://192.168.1.5:80");
        assert_eq!(of(None, &[], "[fd00::5]:7878"), "http://[fd00::5]:7878");
        assert_eq!(of(None, &[], "0.0.0.0:7878"), "http://localhost:7878");
        let two = ["twin.example", "other.example"];
        assert_eq!(of(None, &two, "0.0.0.0:7878"), "http://twin.example:7878");
        assert_eq!(of(None, &["fd00::5"], "[::]:7878"), "http://[fd00::5]:7878");
        let given = Some("https://twin.example/");
        assert_eq!(of(given, &two, "0.0.0.0:7878"), "https://twin.example");
    }

    #[test]
    fn an_address_is_a_name_of_its_own_server() {
        let names = |address: &str| names(vec!["twin.example".to_owned()], address.parse().unwrap());
        assert_eq!(names("192.168.1.5:80"), ["twin.example", "192.168.1.5"]);
        assert_eq!(names("0.0.0.0:80"), ["twin.example"]);
        assert_eq!(names("[::]:80"), ["twin.example"]);
    }
}
