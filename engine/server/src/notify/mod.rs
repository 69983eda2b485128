//! Notifications: cursors on the event log, one for each destination.
//!
//! An event is dealt with once it was sent, or given up after [`TRIES`] failures; then the cursor moves. Of several
//! servers on one database the one sends that holds the destination's lease, and a cursor moves only from where it was
//! thought to be. A crash after sending sends again once the lease has run out: better twice than never.

mod config;
mod message;
mod send;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinHandle;
use twinloom_meta::{DestinationAdvance, DestinationRow, Meta, MetaError};

pub use config::{Address, Destination, MailTls, Wanted};

use crate::secrets::Vault;

/// Failures after which an event is given up.
const TRIES: u32 = 8;
/// How often the log is looked at while nobody tells of events.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often it is looked for notifications that are to be tried again.
const RETRY_EVERY: Duration = Duration::from_secs(5);
/// Sending that takes longer has failed.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a destination is held for one event.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// Events read at a time.
const BATCH: u64 = 200;

/// Sends notifications until the task is ended; `owner` is whose lease it is, and `page` how people reach the web UI.
pub fn start(meta: Meta, secrets: Arc<Vault>, owner: String, page: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut written = meta.watch_events();
        let notifier = Notifier {
            meta,
            secrets,
            owner,
            page,
        };
        loop {
            if let Err(error) = notifier.look().await {
                tracing::warn!(%error, "notifications could not be looked at");
            }
            tokio::time::sleep(LOOK_EVERY).await;
            // What is to be tried again is due before anything new may come.
            let _ = tokio::time::timeout(RETRY_EVERY, written.changed()).await;
        }
    })
}

struct Notifier {
    meta: Meta,
    secrets: Arc<Vault>,
    owner: String,
    page: String,
}

impl Notifier {
    async fn look(&self) -> Result<(), MetaError> {
        for row in self.meta.destinations().await? {
            if row.next_at.is_none_or(|at| at <= Timestamp::now()) {
                self.serve(row).await?;
            }
        }
        Ok(())
    }

    /// Sends what a destination wants of the events after its cursor; whatever has changed meanwhile is for the next look.
    async fn serve(&self, mut row: DestinationRow) -> Result<(), MetaError> {
        let Ok(destination) = serde_json::from_value::<Destination>(row.config.clone()) else {
            return Ok(());
        };
        loop {
            let events = self.meta.events_after(row.cursor, BATCH).await?;
            let Some(last) = events.last().map(|event| event.id) else {
                return Ok(());
            };
            let wanted = events
                .iter()
                .filter_map(|event| message::of(event, &destination.events, &self.page));
            for message in wanted {
                if !self.lease(&row).await? || !self.tell(&destination, &message, &mut row).await? {
                    return Ok(());
                }
            }
            let changed = Some(row.updated_at);
            if row.cursor < last && !self.advance(&mut row, last, changed).await? {
                return Ok(());
            }
        }
    }

    /// Whether the destination is ours for this event, and as it was.
    async fn lease(&self, row: &DestinationRow) -> Result<bool, MetaError> {
        let now = Timestamp::now();
        let until = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
        let leased = self
            .meta
            .lease_destination(&row.name, row.cursor, &self.owner, now, until)
            .await?;
        Ok(leased.is_some_and(|now| now.updated_at == row.updated_at))
    }

    /// Sends an event; whether to go on.
    async fn tell(
        &self,
        destination: &Destination,
        message: &message::Message,
        row: &mut DestinationRow,
    ) -> Result<bool, MetaError> {
        let event = message.event;
        let sending = send::send(destination, message, &self.secrets);
        let sent = tokio::time::timeout(LONGEST, sending)
            .await
            .unwrap_or_else(|_| Err(format!("it took longer than {} s", LONGEST.as_secs())));
        match sent {
            Ok(()) => {
                (row.tries, row.last_error, row.next_at) = (0, None, None);
                self.advance(row, event, None).await
            }
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
                // The cursor stays before the event that failed; a new address starts anew.
                let changed = Some(row.updated_at);
                self.advance(row, event - 1, changed).await?;
                Ok(false)
            }
            Err(reason) => {
                tracing::error!(
                    destination = row.name,
                    event,
                    reason,
                    "a notification was given up"
                );
                (row.tries, row.last_error, row.next_at) = (0, Some(reason), None);
                self.advance(row, event, None).await
            }
        }
    }

    async fn advance(
        &self,
        row: &mut DestinationRow,
        cursor: i64,
        unless_changed_since: Option<Timestamp>,
    ) -> Result<bool, MetaError> {
        let to = DestinationAdvance {
            name: row.name.clone(),
            owner: self.owner.clone(),
            at: Timestamp::now(),
            from: row.cursor,
            cursor,
            tries: row.tries,
            last_error: row.last_error.clone(),
            next_at: row.next_at,
            unless_changed_since,
        };
        row.cursor = cursor;
        self.meta.advance_destination(&to).await
    }
}
