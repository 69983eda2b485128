//! Notifications: cursors on the event log, one for each destination.
//!
//! An event is dealt with once it was sent, or given up after [`TRIES`] failures; then the cursor moves. A crash between
//! the two sends it again: better twice than never.

mod config;
mod message;
mod send;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use twinloom_meta::{DestinationRow, Meta, MetaError};

pub use config::{Address, Destination, Wanted};

use crate::secrets::Vault;

/// Failures after which an event is given up.
const TRIES: u32 = 8;
/// How often the log is looked at while nobody tells of events.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked for notifications that are to be tried again.
const RETRY_EVERY: Duration = Duration::from_secs(5);
/// Events read at a time.
const BATCH: u64 = 200;

/// Sends notifications until the task is ended.
pub fn start(meta: Meta, secrets: Arc<Vault>, page: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut written = meta.watch_events();
        loop {
            if let Err(error) = look(&meta, &secrets, &page).await {
                tracing::warn!(%error, "notifications could not be looked at");
            }
            tokio::time::sleep(LOOK_EVERY).await;
            // What is to be tried again is due before anything new may come.
            let _ = tokio::time::timeout(RETRY_EVERY, written.changed()).await;
        }
    })
}

async fn look(meta: &Meta, secrets: &Vault, page: &str) -> Result<(), MetaError> {
    for row in meta.destinations().await? {
        if row.next_at.is_some_and(|at| at > Timestamp::now()) {
            continue;
        }
        serve(meta, secrets, page, row).await?;
    }
    Ok(())
}

/// Sends what a destination wants of the events after its cursor.
async fn serve(meta: &Meta, secrets: &Vault, page: &str, mut row: DestinationRow) -> Result<(), MetaError> {
    let Ok(destination) = serde_json::from_value::<Destination>(row.config.clone()) else {
        return Ok(());
    };
    loop {
        let events = meta.events_after(row.cursor, BATCH).await?;
        let Some(last) = events.last().map(|event| event.id) else {
            return Ok(());
        };
        let wanted = events
            .iter()
            .filter_map(|event| message::of(event, &destination.events, page));
        for message in wanted {
            let sent = send::send(&destination, &message, secrets).await;
            let event = message.event;
            match sent {
                Ok(()) => (row.tries, row.last_error, row.next_at) = (0, None, None),
                Err(reason) if row.tries + 1 < TRIES => {
                    tracing::warn!(
                        destination = row.name,
                        event,
                        reason,
                        "a notification failed and is tried again"
                    );
                    row.tries += 1;
                    row.last_error = Some(reason);
                    let wait = SignedDuration::from_secs(1 << row.tries.min(9));
                    row.next_at = Timestamp::now().checked_add(wait).ok();
                    // The cursor stays before the event that failed.
                    row.cursor = event - 1;
                    return meta.put_destination(&row).await;
                }
                Err(reason) => {
                    tracing::error!(
                        destination = row.name,
                        event,
                        reason,
                        "a notification was given up"
                    );
                    (row.tries, row.last_error, row.next_at) = (0, Some(reason), None);
                }
            }
            row.cursor = event;
            meta.put_destination(&row).await?;
        }
        if row.cursor < last {
            row.cursor = last;
            meta.put_destination(&row).await?;
        }
    }
}
