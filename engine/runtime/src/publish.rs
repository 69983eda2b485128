//! Commits what an attempt has staged to the store, and says what SQL has to know of it.

use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::{Value, json};
use twinloom_meta::{
    ArtifactKind, ArtifactRow, AuditRow, Change, DatasetIndexRow, ModelIndexRow, NewEvent, event,
};
use twinloom_sdk::{AliasMove, Done, OperatorError, OutputTarget, Staged};
use twinloom_store::{
    Commit, CommitOutcome, Committed, DatasetManifest, Label, ModelManifest, Reference, Selector, StoreError,
};

use crate::{
    dispatcher::{RunKey, Shared, TaskRef},
    failpoint, index, keys,
};

/// How often a commit is tried while the store says that it may pass.
const TRIES: u32 = 5;

/// Artifacts of one task to commit.
pub struct Job {
    /// Which task.
    pub task: TaskRef,
    /// The task's id.
    pub id: String,
    /// The current attempt.
    pub attempt: u32,
    /// How often the task had succeeded before.
    pub generation: u32,
    /// When the run was created: no version of it is older.
    pub not_before: Timestamp,
    /// What the plan lets it publish.
    pub outputs: IndexMap<String, OutputTarget>,
    /// What it staged.
    pub done: Done,
}

/// What stands after the commit, and is to be written with the task's success.
pub struct Published {
    /// The task's artifacts.
    pub artifacts: Vec<ArtifactRow>,
    /// Index rows, events, audit.
    pub changes: Vec<Change>,
    /// The task's figures.
    pub metrics: serde_json::Map<String, Value>,
    /// Whether the result may stand in for an equal task: one that moved an alias may not.
    pub reusable: bool,
}

/// Commits all artifacts, then moves the aliases.
pub async fn publish(shared: &Shared, job: Job) -> Result<Published, OperatorError> {
    failpoint::hit(failpoint::STAGED);
    shared.check_owned(&job.task.run, job.task.epoch).await?;
    let Done {
        outputs,
        metrics,
        aliases,
    } = job.done;
    let reusable = aliases.is_empty();
    let mut published = Published {
        artifacts: Vec::new(),
        changes: Vec::new(),
        metrics,
        reusable,
    };
    let context = Context {
        shared,
        run: &job.task.run,
        task: &job.id,
        attempt: job.attempt,
        generation: job.generation,
        not_before: job.not_before,
    };
    for (port, staged) in &outputs {
        check_target(&job.id, port, staged, job.outputs.get(port))?;
    }
    for (port, staged) in outputs {
        match staged {
            Staged::Dataset(staged) => {
                let committed = context
                    .retrying(
                        |commit| shared.config.store.commit_dataset(staged.clone(), commit),
                        &port,
                    )
                    .await?;
                failpoint::hit(failpoint::STORE_COMMITTED);
                context.dataset(&port, &committed, &mut published);
            }
            Staged::Model(staged) => {
                let committed = context
                    .retrying(
                        |commit| shared.config.store.commit_model(staged.clone(), commit),
                        &port,
                    )
                    .await?;
                failpoint::hit(failpoint::STORE_COMMITTED);
                context.model(&port, &committed, &mut published);
            }
        }
    }
    for alias in aliases {
        context.move_alias(alias, &mut published).await?;
    }
    Ok(published)
}

struct Context<'a> {
    shared: &'a Shared,
    run: &'a RunKey,
    task: &'a str,
    attempt: u32,
    generation: u32,
    not_before: Timestamp,
}

impl Context<'_> {
    async fn retrying<M, F>(
        &self,
        commit: impl Fn(Commit) -> F,
        port: &str,
    ) -> Result<Committed<M>, OperatorError>
    where
        F: Future<Output = Result<Committed<M>, StoreError>>,
    {
        let mut pause = Duration::from_millis(50);
        let mut tries = 0;
        loop {
            let task_key = Some(keys::task_key(self.run, self.task, port, self.generation));
            let now = self.shared.now();
            match commit(Commit {
                task_key,
                not_before: Some(self.not_before),
                now,
            })
            .await
            {
                Err(error) if error.retryable() && tries < TRIES => {
                    tracing::warn!(task = self.task, %error, "an artifact could not be committed; trying again");
                    tokio::time::sleep(pause).await;
                    (tries, pause) = (tries + 1, pause * 2);
                }
                done => return Ok(done?),
            }
        }
    }

    fn dataset(&self, port: &str, committed: &Committed<DatasetManifest>, published: &mut Published) {
        let Committed { manifest, outcome } = committed;
        let data = &manifest.data;
        let row = self.artifact(port, ArtifactKind::Dataset, &manifest.id(), *outcome);
        published.artifacts.push(ArtifactRow {
            rows: Some(data.rows),
            ..row
        });
        if *outcome == CommitOutcome::Unchanged {
            return;
        }
        let row = DatasetIndexRow {
            run: Some(self.run.to_string()),
            task: Some(self.task.to_owned()),
            ..index::dataset_row(manifest)
        };
        let payload = json!({
            "name": data.name, "version": manifest.version, "hash": data.content_hash, "rows": data.rows,
            "changes": row.changes, "metrics": data.metrics, "checks": data.checks, "run": **self.run, "task": self.task,
        });
        published.changes.push(Change::from(row));
        self.event(
            event::DATASET_PUBLISHED,
            manifest.id().to_string(),
            payload,
            published,
        );
    }

    fn model(&self, port: &str, committed: &Committed<ModelManifest>, published: &mut Published) {
        let Committed { manifest, outcome } = committed;
        let data = &manifest.data;
        published
            .artifacts
            .push(self.artifact(port, ArtifactKind::Model, &manifest.id(), *outcome));
        if *outcome == CommitOutcome::Unchanged {
            return;
        }
        let row = ModelIndexRow {
            run: Some(self.run.to_string()),
            task: Some(self.task.to_owned()),
            ..index::model_row(manifest)
        };
        let payload = json!({
            "name": data.name, "version": manifest.version, "hash": data.content_hash, "metrics": row.metrics,
            "run": **self.run, "task": self.task,
        });
        published.changes.push(Change::from(row));
        self.event(
            event::MODEL_REGISTERED,
            manifest.id().to_string(),
            payload,
            published,
        );
    }

    /// Moves an alias unless it points there. Whether SQL knows decides about the event: a crash between the two
    /// leaves an alias that is moved and an event that is still to be written.
    async fn move_alias(&self, alias: AliasMove, published: &mut Published) -> Result<(), OperatorError> {
        let AliasMove {
            model,
            alias,
            version,
            by,
            reason,
        } = alias;
        let (store, meta) = (&self.shared.config.store, &self.shared.config.meta);
        store
            .model(&Reference {
                name: model.clone(),
                selector: Selector::Number(version),
            })
            .await?;
        let standing = store.aliases(&model).await?.remove(&alias);
        let known = meta.alias_index(Some(model.as_str())).await.map_err(no_index)?;
        let known = known
            .into_iter()
            .find(|row| row.alias == alias && row.kind == ArtifactKind::Model);
        let label = match standing {
            Some(label) if label.version == version => label,
            before => {
                let previous = before.map(|label| label.version);
                let label = Label {
                    version,
                    moved_at: self.shared.now(),
                    by,
                    reason,
                    previous,
                };
                store.set_alias(&model, &alias, label.clone()).await?;
                failpoint::hit(failpoint::ALIAS_MOVED);
                label
            }
        };
        if known.is_some_and(|row| {
            row.version == version && row.moved_at.as_microsecond() == label.moved_at.as_microsecond()
        }) {
            return Ok(());
        }
        let detail = json!({
            "version": label.version, "previous": label.previous, "by": label.by, "reason": label.reason,
            "run": **self.run, "task": self.task,
        });
        let subject = format!("{model}@{alias}");
        let row = index::label_row(ArtifactKind::Model, model.as_str(), &alias, label.clone());
        published.changes.push(Change::from(row));
        let (at, action) = (self.shared.now(), "alias.move".to_owned());
        published.changes.push(Change::from(AuditRow {
            at,
            by: label.by,
            action,
            subject: subject.clone(),
            detail: detail.clone(),
        }));
        self.event(event::ALIAS_MOVED, subject, detail, published);
        Ok(())
    }

    fn event(&self, kind: &str, subject: String, payload: Value, published: &mut Published) {
        let at = self.shared.now();
        published.changes.push(Change::from(NewEvent {
            kind: kind.to_owned(),
            subject,
            payload,
            at,
        }));
    }

    fn artifact(
        &self,
        port: &str,
        kind: ArtifactKind,
        id: &twinloom_store::VersionId,
        outcome: CommitOutcome,
    ) -> ArtifactRow {
        let outcome = match outcome {
            CommitOutcome::New => "new",
            CommitOutcome::Unchanged => "unchanged",
            CommitOutcome::Adopted => "adopted",
        };
        tracing::debug!(task = self.task, attempt = self.attempt, %id, outcome, "committed");
        ArtifactRow {
            run: self.run.to_string(),
            task: self.task.to_owned(),
            port: port.to_owned(),
            kind,
            name: id.name.to_string(),
            version: id.version,
            hash: id.hash.clone(),
            outcome: outcome.to_owned(),
            rows: None,
        }
    }
}

/// A worker may publish under the names of its plan and no others.
fn check_target(
    task: &str,
    port: &str,
    staged: &Staged,
    target: Option<&OutputTarget>,
) -> Result<(), OperatorError> {
    let name = match staged {
        Staged::Dataset(staged) => &staged.name,
        Staged::Model(staged) => &staged.name,
    };
    match target {
        Some(target) if target.name == *name => Ok(()),
        _ => Err(OperatorError::bug(
            "output.unplanned",
            format!("`{task}` staged `{name}` at its output `{port}`, which the plan does not let it"),
        )),
    }
}

fn no_index(error: twinloom_meta::MetaError) -> OperatorError {
    OperatorError::retry(error.code(), &error, error.hint())
}

/// Kept here so that the dispatcher need not know how a job runs.
pub fn spawn(shared: &Arc<Shared>, job: Job) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let (task, attempt) = (job.task.clone(), job.attempt);
        let result = publish(&shared, job).await;
        shared.send(crate::dispatcher::Input::Published {
            task,
            attempt,
            result,
        });
    });
}
