//! Messages of AMQP 0.9.1 queues (RabbitMQ). A message is acknowledged once its event is durable, and not before: one that
//! comes again after a crash is known by its id.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::StreamExt;
use lapin::{
    Channel, Connection, ConnectionProperties,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions,
        QueueDeclareOptions,
    },
    types::FieldTable,
};
use tokio::task::JoinHandle;
use twinloom_runtime::{
    Service, ServiceError,
    service::{QueueMessage, QueueSource},
};
use url::Url;

/// Messages that are under way to the log at a time.
const PREFETCH: u16 = 64;
/// How often it is looked for queues that came or went.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A server that takes longer to answer is not there.
const PATIENCE: Duration = Duration::from_secs(15);
/// The pause before a second try to connect.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The secret with the place of queues that name none of their own: `amqp://USER:PASSWORD@HOST/VHOST`.
pub const URL: &str = "secret:AMQP_URL";

/// Listens to every queue that a DAG names, until it is dropped or aborted.
pub async fn listen(service: Service) {
    let mut listeners: BTreeMap<QueueSource, Listener> = BTreeMap::new();
    loop {
        let wanted = service.queues();
        service.keep_queues(&wanted);
        // What is dropped stops listening.
        listeners.retain(|source, listener| wanted.contains(source) && !listener.0.is_finished());
        for source in wanted {
            listeners
                .entry(source.clone())
                .or_insert_with(|| Listener(tokio::spawn(keep_listening(service.clone(), source))));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

struct Listener(JoinHandle<()>);

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep_listening(service: Service, source: QueueSource) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let began = Instant::now();
        let error = match hear(&service, &source).await {
            Ok(()) => "the connection was closed".to_owned(),
            Err(error) => error,
        };
        // It was good for a while, however it ended.
        if began.elapsed() > LONGEST_PAUSE {
            pause = SHORTEST_PAUSE;
        }
        tracing::warn!(
            queue = source.name,
            error,
            "the queue is not listened to; trying again"
        );
        service.note_queue(&source, Some(error));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Takes messages until the connection ends; an error is in words without secrets.
async fn hear(service: &Service, source: &QueueSource) -> Result<(), String> {
    let reference = source.url.as_deref().unwrap_or(URL);
    let url = service
        .secret(reference)
        .await
        .map_err(|error| error.to_string())?;
    // The client's own word about an address that it cannot read would hold all of it.
    let readable =
        Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "amqp" | "amqps") && !url.cannot_be_a_base());
    if !readable {
        return Err(format!(
            "the value of `{reference}` is no address as `amqp://USER:PASSWORD@HOST/VHOST`"
        ));
    }
    let properties = ConnectionProperties::default().with_connection_name("twinloom".into());
    let said = |error: lapin::Error| error.to_string();
    let connection = tokio::time::timeout(PATIENCE, Connection::connect(&url, properties))
        .await
        .map_err(|_| format!("it did not answer within {} seconds", PATIENCE.as_secs()))?
        .map_err(said)?;
    consume(service, source, &connection).await.map_err(said)
}

/// Takes messages until the connection ends.
async fn consume(
    service: &Service,
    source: &QueueSource,
    connection: &Connection,
) -> Result<(), lapin::Error> {
    let queue = source.name.as_str();
    let channel = channel(connection, queue).await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let mut deliveries = channel
        .basic_consume(
            queue.into(),
            "twinloom".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    service.note_queue(source, None);
    while let Some(delivery) = deliveries.next().await {
        take(service, queue, delivery?).await?;
    }
    Ok(())
}

/// A channel on which the queue is there. One that stands with other settings is taken as it is.
async fn channel(connection: &Connection, queue: &str) -> Result<Channel, lapin::Error> {
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    match channel
        .queue_declare(queue.into(), durable, FieldTable::default())
        .await
    {
        Ok(_) => Ok(channel),
        // A refusal closes the channel.
        Err(_) => connection.create_channel().await,
    }
}

/// Puts a message into the log and acknowledges it.
async fn take(service: &Service, queue: &str, delivery: Delivery) -> Result<(), lapin::Error> {
    let id = delivery.properties.message_id().as_ref().map(ToString::to_string);
    let message = QueueMessage {
        id,
        body: delivery.data.clone(),
    };
    match service.queue_message(queue, message).await {
        Ok(_) | Err(ServiceError::KnownMessage { .. }) => {
            delivery.ack(BasicAckOptions::default()).await?;
        }
        Err(error @ ServiceError::Body { .. }) => {
            tracing::warn!(queue, %error, "a message is rejected");
            delivery.reject(BasicRejectOptions::default()).await?;
        }
        Err(error) => {
            tracing::warn!(queue, %error, "a message could not be stored; it goes back to the queue");
            let again = BasicNackOptions {
                requeue: true,
                ..BasicNackOptions::default()
            };
            tokio::time::sleep(Duration::from_millis(500)).await;
            delivery.nack(again).await?;
        }
    }
    Ok(())
}
