//! What can be asked about triggers.

use super::{Fire, Freshness, QueueSource, Service, ServiceError, TriggerDecision, TriggerStatus};
use crate::triggers::{Command, Condition, schedule};

/// Decisions that are looked at, newest first.
const DECISIONS: u64 = 200;
/// More times are not worked out.
const MOST_FIRES: usize = 1000;

impl Service {
    /// The next times at which the DAG's schedules start runs, in order; at most 1,000.
    ///
    /// # Errors
    /// `dag.unknown`.
    pub fn next_fires(&self, name: &str, count: usize) -> Result<Vec<Fire>, ServiceError> {
        let entry = self.known(name)?;
        let (now, count) = (self.inner.engine.now(), count.min(MOST_FIRES));
        let mut fires = Vec::new();
        for condition in entry.dag.iter().flat_map(|dag| Condition::of(dag)) {
            if let Condition::Schedule(spec) = &condition {
                let why = condition.describe();
                let times = schedule::times(spec, now, None, count);
                fires.extend(times.into_iter().map(|at| Fire {
                    at: schedule::delayed(spec, name, at),
                    why: why.clone(),
                    run: None,
                }));
            }
        }
        fires.sort_by_key(|fire| fire.at);
        fires.truncate(count);
        Ok(fires)
    }

    /// The DAG's triggers as they stand: what each has, waits for, and would take to fire.
    ///
    /// # Errors
    /// `dag.unknown`, `run.stopped`.
    pub async fn triggers(&self, name: &str) -> Result<Vec<TriggerStatus>, ServiceError> {
        self.known(name)?;
        let dag = name.to_owned();
        let found = self.ask(|reply| Command::Status { dag, reply }).await?;
        Ok(found.into_iter().map(|status| self.with_queue(status)).collect())
    }

    /// What the DAG's triggers decided of late, newest first.
    ///
    /// # Errors
    /// `dag.unknown`; what the database says.
    pub async fn why(&self, name: &str) -> Result<Vec<TriggerDecision>, ServiceError> {
        self.known(name)?;
        // What is decided and not yet written is written first.
        self.ask(Command::Flush).await?;
        let rows = self
            .inner
            .engine
            .config()
            .meta
            .trigger_decisions(name, DECISIONS)
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| TriggerDecision {
                trigger: row.trigger,
                event: row.event,
                at: row.at,
                fired: row.fired,
                run: row.run,
                reason: row.reason,
            })
            .collect())
    }

    /// How fresh the datasets are that DAGs set a deadline for; those that are late first.
    ///
    /// # Errors
    /// `run.stopped`.
    pub async fn freshness(&self) -> Result<Vec<Freshness>, ServiceError> {
        self.ask(|reply| Command::Freshness { reply }).await
    }

    /// The queues that DAGs listen to which are not paused: messages for the others stay where they are.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueSource> {
        let mut queues = Vec::new();
        for entry in self
            .inner
            .dags
            .entries()
            .into_iter()
            .filter(|entry| !entry.paused)
        {
            for condition in entry.dag.iter().flat_map(|dag| Condition::of(dag)) {
                if let Condition::Queue(queue) = condition {
                    queues.push(QueueSource {
                        name: queue.name,
                        url: queue.url,
                    });
                }
            }
        }
        queues.sort();
        queues.dedup();
        queues
    }

    /// The value of `secret:NAME`, from where the engine's secrets come from.
    ///
    /// # Errors
    /// `secret.missing`; what its source says.
    pub async fn secret(&self, reference: &str) -> Result<String, ServiceError> {
        let name = reference.strip_prefix("secret:").unwrap_or(reference);
        let source = &self.inner.engine.config().secrets;
        source.get(name).await?.ok_or_else(|| ServiceError::Secret {
            name: name.to_owned(),
        })
    }
}
