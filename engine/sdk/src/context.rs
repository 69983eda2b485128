//! What an operator is given: its inputs and outputs, the store, time, randomness, and a way to report.

use std::{env, path::Path, sync::Arc};

use arrow::datatypes::SchemaRef;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use twinloom_store::{
    ArtifactKind, DatasetManifest, DatasetWriter, FeatureStore, InputVersion, ModelManifest, ModelWriter,
    Name, Producer, StageDataset, StageModel,
};

use crate::{ArtifactId, Decision, Level, Message, OperatorError, Reporter, TaskDocument};

/// The environment of one attempt. Time, randomness and ids come from here, so that a retry repeats exactly.
#[derive(Clone)]
pub struct Context {
    task: Arc<TaskDocument>,
    store: FeatureStore,
    reporter: Reporter,
    cancelled: CancellationToken,
    operator_version: &'static str,
}

impl Context {
    /// Puts a context together; `operator_version` goes into the manifests of what the operator makes.
    #[must_use]
    pub fn new(
        task: Arc<TaskDocument>,
        store: FeatureStore,
        reporter: Reporter,
        cancelled: CancellationToken,
        operator_version: &'static str,
    ) -> Self {
        Self {
            task,
            store,
            reporter,
            cancelled,
            operator_version,
        }
    }

    /// The task as the engine sent it.
    #[must_use]
    pub fn task(&self) -> &TaskDocument {
        &self.task
    }

    /// The feature store.
    #[must_use]
    pub fn store(&self) -> &FeatureStore {
        &self.store
    }

    /// The engine's time at the start of the attempt.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.task.now
    }

    /// Seed for all randomness.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.task.seed
    }

    /// A folder of this attempt's own, deleted after it.
    #[must_use]
    pub fn work_dir(&self) -> &Path {
        &self.task.work_dir
    }

    /// The folder of embedded vector collections.
    #[must_use]
    pub fn vectors(&self) -> &Path {
        &self.task.vectors
    }

    /// A person's decision, when this operator had asked for one.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        self.task.decision.as_ref()
    }

    /// Metrics of a step that this one depends on.
    #[must_use]
    pub fn metrics_of(&self, step: &str) -> Option<&Map<String, Value>> {
        self.task.upstream_metrics.get(step)
    }

    /// Everything at an input port, in order; empty when the port is not connected.
    #[must_use]
    pub fn inputs(&self, port: &str) -> &[ArtifactId] {
        self.task.inputs.get(port).map_or(&[], Vec::as_slice)
    }

    /// The one artifact at an input port.
    ///
    /// # Errors
    /// `input.missing` when the port is not connected.
    pub fn input(&self, port: &str) -> Result<&ArtifactId, OperatorError> {
        self.inputs(port).first().ok_or_else(|| {
            OperatorError::config(
                "input.missing",
                format!("the input `{port}` of `{}` is not connected", self.task.operator),
                format!("Add `{port}:` below the step's `in:`."),
            )
        })
    }

    /// The manifest of the dataset at an input port.
    ///
    /// # Errors
    /// `input.missing`, or what the store says.
    pub async fn dataset(&self, port: &str) -> Result<Arc<DatasetManifest>, OperatorError> {
        Ok(self.store.dataset_exact(&self.input(port)?.id).await?)
    }

    /// The manifest of the model at an input port.
    ///
    /// # Errors
    /// `input.missing`, or what the store says.
    pub async fn model(&self, port: &str) -> Result<Arc<ModelManifest>, OperatorError> {
        Ok(self.store.model_exact(&self.input(port)?.id).await?)
    }

    /// The name that an output port publishes under; `None` when the plan has no such output.
    #[must_use]
    pub fn output_name(&self, port: &str) -> Option<&Name> {
        self.task.outputs.get(port).map(|target| &target.name)
    }

    /// A writer for the dataset of an output port.
    ///
    /// # Errors
    /// `output.missing` when the plan has no such output.
    pub fn stage_dataset(
        &self,
        port: &str,
        schema: SchemaRef,
        keys: &[&str],
    ) -> Result<DatasetWriter, OperatorError> {
        Ok(self.store.dataset_writer(self.dataset_spec(port, schema, keys)?))
    }

    /// What identifies a dataset that this task stages: name, schema, keys, producer and inputs.
    ///
    /// # Errors
    /// `output.missing` when the plan has no such output.
    pub fn dataset_spec(
        &self,
        port: &str,
        schema: SchemaRef,
        keys: &[&str],
    ) -> Result<StageDataset, OperatorError> {
        Ok(StageDataset {
            name: self.target(port, ArtifactKind::Dataset)?,
            schema,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            producer: self.producer(),
            inputs: self.input_versions(),
        })
    }

    /// A writer for the model of an output port; `spec` is given the name, producer and inputs of this task.
    ///
    /// # Errors
    /// `output.missing` when the plan has no such output.
    pub fn stage_model(
        &self,
        port: &str,
        base: Option<twinloom_store::VersionId>,
        config: Value,
        card: String,
        metrics: std::collections::BTreeMap<String, Value>,
    ) -> Result<ModelWriter, OperatorError> {
        let name = self.target(port, ArtifactKind::Model)?;
        let (producer, inputs) = (self.producer(), self.input_versions());
        Ok(self.store.model_writer(StageModel {
            name,
            base,
            config,
            card,
            metrics,
            producer,
            inputs,
        }))
    }

    /// Who makes what this task makes.
    #[must_use]
    pub fn producer(&self) -> Producer {
        Producer {
            run: self.task.run.clone(),
            task: self.task.task.clone(),
            attempt: self.task.attempt,
            operator: self.task.operator.clone(),
            operator_version: self.operator_version.to_owned(),
            config_hash: self.task.config_hash.clone(),
            code_revision: self.task.code_revision.clone(),
        }
    }

    /// The exact versions that this task reads.
    #[must_use]
    pub fn input_versions(&self) -> Vec<InputVersion> {
        let of_port = |(port, ids): (&String, &Vec<ArtifactId>)| -> Vec<InputVersion> {
            let version = |id: &ArtifactId| InputVersion {
                port: port.clone(),
                kind: id.kind,
                id: id.id.clone(),
            };
            ids.iter().map(version).collect()
        };
        self.task.inputs.iter().flat_map(of_port).collect()
    }

    /// The value behind `secret:NAME`; other text as it is. The scheduler has looked up what the configuration refers to;
    /// a worker that was started by hand takes the environment variable `TWINLOOM_SECRET_NAME`.
    ///
    /// # Errors
    /// `secret.missing`, saying how to set it.
    pub fn secret(&self, text: &str) -> Result<String, OperatorError> {
        let Some(name) = text.strip_prefix("secret:") else {
            return Ok(text.to_owned());
        };
        if let Some(value) = self.reporter.secrets().get(name) {
            return Ok(value.to_owned());
        }
        let variable = format!("{}{name}", crate::SECRET_PREFIX);
        let found = env::var(&variable).ok().filter(|value| !value.is_empty());
        found.ok_or_else(|| {
            OperatorError::config(
                "secret.missing",
                format!("the secret `{name}` is not set"),
                format!("Run `twinloom secret set {name}`, or set {variable} where the scheduler runs."),
            )
        })
    }

    /// The value behind `secret:NAME`, for a key where nothing else may stand.
    ///
    /// # Errors
    /// `code` where the text is no such reference: it may be the secret itself, and is not repeated; `secret.missing`.
    pub fn secret_only(&self, code: &str, key: &str, text: &str) -> Result<String, OperatorError> {
        if crate::secrets::reference(text).is_none() {
            return Err(OperatorError::config(
                code,
                format!("`{key}` is no reference to a secret"),
                "Write `secret:NAME`, and set TWINLOOM_SECRET_NAME where the scheduler runs, or run `twinloom secret set \
                 NAME`.",
            ));
        }
        self.secret(text)
    }

    /// Logs for people who follow along.
    pub fn info(&self, message: impl Into<String>) {
        self.log(Level::Info, message);
    }

    /// Logs something to look at.
    pub fn warn(&self, message: impl Into<String>) {
        self.log(Level::Warn, message);
    }

    /// Logs at a level.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.reporter.send(Message::Log {
            level,
            message: message.into(),
        });
    }

    /// Says how far the task is, in units such as `documents`.
    pub fn progress(&self, done: u64, total: Option<u64>, unit: &str) {
        self.reporter.send(Message::Progress {
            done,
            total,
            unit: unit.to_owned(),
        });
    }

    /// Reports a point of a curve, or a single figure where there is no step.
    pub fn metric(&self, name: &str, value: f64, step: Option<u64>) {
        self.reporter.send(Message::Metric {
            name: name.to_owned(),
            value,
            step,
        });
    }

    /// Ends when the task is cancelled.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Fails once the task is cancelled; call it between units of work.
    ///
    /// # Errors
    /// `task.cancelled`.
    pub fn check_cancelled(&self) -> Result<(), OperatorError> {
        if self.cancelled.is_cancelled() {
            return Err(OperatorError::config(
                "task.cancelled",
                "the task was cancelled",
                "Run it again when wanted.",
            ));
        }
        Ok(())
    }

    fn target(&self, port: &str, kind: ArtifactKind) -> Result<Name, OperatorError> {
        match self.task.outputs.get(port) {
            Some(target) if target.kind == kind => Ok(target.name.clone()),
            _ => Err(OperatorError::bug(
                "output.missing",
                format!(
                    "`{}` writes the output `{port}`, which the plan does not have",
                    self.task.operator
                ),
            )),
        }
    }
}
