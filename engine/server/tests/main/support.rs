//! A server on a port of its own, over a home of its own, with real operators.

use std::{collections::BTreeMap, sync::Arc};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use twinloom_meta::Meta;
use twinloom_runtime::{
    Clock, Engine, EngineConfig, EnvironmentSecrets, Programs, Service, ServiceConfig, SystemClock,
    dags::{DagFolder, DagFolders},
};
use twinloom_server::{Server, ServerConfig, ServerError, Vault};
use twinloom_store::{FeatureStore, StoreLocation};

/// Publishes one row, whose text is a parameter.
pub const GREET: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: greet
description: Writes a greeting.
params:
  who: {type: string, default: world}
  count: {type: integer, default: 1, minimum: 1}
on:
  schedule: {cron: "0 6 * * *", timezone: Europe/Berlin}
steps:
  hello:
    uses: command
    executor: inline
    with:
      argv: [sh, -c, 'echo "hello $WHO" >&2; printf "{\"id\":\"a\",\"text\":\"%s\"}\n" "$WHO" > "$TWINLOOM_OUTPUT_DIR/greetings.jsonl"']
      env: {WHO: "${{ params.who }}"}
      keys: {greetings: [id]}
    out: {greetings: greetings}
"#;

/// Waits for a person.
pub const ASK: &str = r#"apiVersion: twinloom/v1
kind: Dag
name: ask
steps:
  report:
    uses: command
    executor: inline
    with:
      argv: [sh, -c, 'printf "metric,subject,value,low,high,threshold,passed,evidence\neval_loss,candidate,1.5,1.4,1.6,2.5,true,{}\n" > "$TWINLOOM_OUTPUT_DIR/report.csv"']
    out: {report: report}
  approve:
    uses: approve
    in: {report: report.report}
    with: {approvers: ["role:approver"]}
"#;

/// Waits for something that comes soon or never.
pub async fn until(what: &str, is: impl AsyncFn() -> bool) {
    for _ in 0..1_500 {
        if is().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("it never came: {what}");
}

pub struct Running {
    pub home: TempDir,
    pub service: Service,
    pub server: Option<Server>,
    pub base: String,
    pub client: Client,
}

impl Running {
    /// With these DAG files.
    pub async fn start(dags: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("dags")).unwrap();
        for (name, text) in dags {
            std::fs::write(home.path().join("dags").join(format!("{name}.yaml")), text).unwrap();
        }
        let service = service(home.path()).await;
        let server = listen(&service, "127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", server.address());
        Self {
            home,
            service,
            server: Some(server),
            base,
            // A proxy of the machine has no part in this.
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    pub fn meta(&self) -> &Meta {
        &self.service.engine().config().meta
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self
            .answer(self.request(Method::GET, &format!("/api/v1{path}")))
            .await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.answer(self.request(Method::POST, &format!("/api/v1{path}")).json(&body))
            .await
    }

    pub async fn answer(&self, request: RequestBuilder) -> (StatusCode, Value) {
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Starts a run and waits until it has ended or waits for a person.
    pub async fn run(&self, dag: &str, params: Value) -> String {
        let (status, body) = self
            .post(&format!("/dags/{dag}/runs"), json!({ "params": params }))
            .await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let run = body["run"].as_str().unwrap().to_owned();
        let until = twinloom_runtime::WaitFor::EndedOrWaiting;
        self.service.engine().wait(&run, until).await.unwrap();
        run
    }

    pub async fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown().await;
        }
        self.service.shutdown().await;
    }
}

async fn service(home: &std::path::Path) -> Service {
    let store = StoreLocation::new(home.join("store").display().to_string());
    let registry = Arc::new(twinloom_operators::registry());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let config = EngineConfig {
        home: home.to_owned(),
        store: FeatureStore::open(&store).await.unwrap(),
        meta: Meta::connect(&format!("sqlite://{}", home.join("twinloom.db").display()))
            .await
            .unwrap(),
        registry: Arc::clone(&registry),
        programs: Programs {
            worker: Vec::new(),
            torch: None,
        },
        secrets: Arc::new(EnvironmentSecrets),
        clock: Arc::clone(&clock),
        max_parallel: 4,
        pools: BTreeMap::new(),
        code_revision: None,
    };
    let engine = Engine::start(config).await.unwrap();
    let folders = DagFolders {
        dags: vec![home.join("dags")],
        pipelines: Vec::new(),
    };
    let dags = DagFolder::open(folders, registry, clock).unwrap();
    Service::start(engine, dags, ServiceConfig::default())
        .await
        .unwrap()
}

pub async fn listen(service: &Service, address: &str) -> Result<Server, ServerError> {
    let config = ServerConfig {
        address: address.parse().unwrap(),
        ..ServerConfig::default()
    };
    start(service, config).await
}

/// On any port of loopback.
pub async fn listen_with(service: &Service, config: ServerConfig) -> Result<Server, ServerError> {
    let address = "127.0.0.1:0".parse().unwrap();
    start(service, ServerConfig { address, ..config }).await
}

async fn start(service: &Service, config: ServerConfig) -> Result<Server, ServerError> {
    let engine = service.engine().config();
    let vault = Arc::new(Vault::new(engine.meta.clone(), &engine.home));
    Server::start(service.clone(), vault, config).await
}
