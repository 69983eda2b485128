//! Messages of a real RabbitMQ.

use std::{collections::BTreeMap, io::Write as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    BasicProperties, Connection, ConnectionProperties,
    options::{BasicPublishOptions, QueueDeclareOptions},
    types::FieldTable,
};
use twinloom_meta::{EventRow, Meta, event};
use twinloom_runtime::{
    Engine, EngineConfig, Programs, SecretSource, Service, ServiceConfig, SystemClock,
    dags::{DagFolder, DagFolders},
};
use twinloom_sdk::OperatorError;
use twinloom_server::queue;
use twinloom_store::{FeatureStore, StoreLocation};

use crate::support::until;

const DAG: &str = "apiVersion: twinloom/v1\nkind: Dag\nname: worker\non: {queue: {name: NAME}}\nsteps:\n  \
                   note: {uses: command, with: {argv: [\"true\"]}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_acknowledged_once_it_is_in_the_log_and_counts_once() {
    let Ok(url) = std::env::var("TWINLOOM_TEST_AMQP_URL") else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: RabbitMQ, because TWINLOOM_TEST_AMQP_URL is not set (infra/test-servers/rabbitmq.sh start)"
        );
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let name = format!("jobs-{}", std::process::id());
    std::fs::write(home.path().join("worker.yaml"), DAG.replace("NAME", &name)).unwrap();
    let service = service(home.path(), &url).await;
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel
        .queue_declare(name.as_str().into(), durable, FieldTable::default())
        .await
        .unwrap();
    let send = async |id: &str, body: &[u8]| {
        let properties = BasicProperties::default()
            .with_message_id(id.into())
            .with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        channel
            .basic_publish("".into(), name.as_str().into(), options, body, properties)
            .await
            .unwrap();
    };
    let listener = tokio::spawn(queue::listen(service.clone()));
    for number in 0..20 {
        send(&format!("id-{}", number % 17), br#"{"size": 1}"#).await;
    }
    wait_for(&service, 5).await;
    // Whoever listened dies with messages in its hands; they come again.
    listener.abort();
    let _ = listener.await;
    for number in 20..40 {
        send(&format!("id-{number}"), b"only text").await;
    }
    send("broken", &[0xff, 0xfe]).await;
    let listener = tokio::spawn(queue::listen(service.clone()));
    wait_for(&service, 37).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    service.settle().await.unwrap();
    let fired = of_kind(&service, event::TRIGGER_FIRED).await;
    assert_eq!(fired.len(), 37);
    listener.abort();
    let _ = listener.await;
    let left = channel
        .queue_declare(name.as_str().into(), durable, FieldTable::default())
        .await
        .unwrap();
    assert_eq!(left.message_count(), 0, "all are acknowledged, or rejected");
    assert!(service.queue_states().iter().all(|(_, state)| state.connected));
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_cannot_be_reached_says_so_and_not_its_password() {
    for (url, word) in [
        ("amqp://ada:hunter2@127.0.0.1:1/%2f", "refused"),
        ("amqp:ada:hunter2", "no address"),
        ("redis://ada:hunter2@127.0.0.1", "no address"),
    ] {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("worker.yaml"), DAG.replace("NAME", "jobs")).unwrap();
        let service = service(home.path(), url).await;
        let listener = tokio::spawn(queue::listen(service.clone()));
        until("the queue's state", async || !service.queue_states().is_empty()).await;
        let (source, state) = &service.queue_states()[0];
        assert_eq!((source.name.as_str(), state.connected), ("jobs", false));
        let error = state.error.as_deref().unwrap();
        assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
        let trigger = service.triggers("worker").await.unwrap().remove(0);
        assert_eq!(trigger.queue.as_ref().map(|queue| queue.since), Some(state.since));
        assert!(
            trigger.would_take.starts_with("Its queue is not connected since")
                && trigger
                    .would_take
                    .ends_with("It takes a message of the queue `jobs`."),
            "{}",
            trigger.would_take
        );
        listener.abort();
        let _ = listener.await;
        // Nobody listens for a paused DAG, so nothing is wrong with its queue.
        service.pause("worker", true, "ada").await.unwrap();
        service.keep_queues(&service.queues());
        assert_eq!(service.queue_states(), []);
        service.shutdown().await;
    }
}

async fn wait_for(service: &Service, messages: usize) {
    until("the messages", async || {
        of_kind(service, event::QUEUE_MESSAGE).await.len() >= messages
    })
    .await;
}

async fn of_kind(service: &Service, kind: &str) -> Vec<EventRow> {
    let all = service
        .engine()
        .config()
        .meta
        .events_after(0, 10_000)
        .await
        .unwrap();
    all.into_iter().filter(|row| row.kind == kind).collect()
}

/// Knows where the queues are.
struct Url(String);

#[async_trait]
impl SecretSource for Url {
    async fn get(&self, name: &str) -> Result<Option<String>, OperatorError> {
        Ok((name == "AMQP_URL").then(|| self.0.clone()))
    }
}

async fn service(home: &std::path::Path, url: &str) -> Service {
    let config = EngineConfig {
        home: home.to_owned(),
        store: FeatureStore::open(&StoreLocation::new(home.join("store").display().to_string()))
            .await
            .unwrap(),
        meta: Meta::connect(&format!("sqlite://{}", home.join("meta.db").display()))
            .await
            .unwrap(),
        registry: Arc::new(twinloom_operators::registry()),
        // The runs need not come to anything: that they are started is what counts.
        programs: Programs {
            worker: vec!["false".into()],
            torch: None,
        },
        secrets: Arc::new(Url(url.to_owned())),
        clock: Arc::new(SystemClock::new()),
        max_parallel: 1,
        pools: BTreeMap::new(),
        code_revision: None,
    };
    let (registry, clock) = (Arc::clone(&config.registry), Arc::clone(&config.clock));
    let folders = DagFolders {
        dags: vec![home.to_owned()],
        pipelines: Vec::new(),
    };
    let engine = Engine::start(config).await.unwrap();
    let dags = DagFolder::open(folders, registry, clock).unwrap();
    Service::start(engine, dags, ServiceConfig::default())
        .await
        .unwrap()
}
