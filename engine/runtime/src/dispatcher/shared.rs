//! What the dispatcher, its helpers and the handle share. Nothing here changes but the lease.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, AtomicUsize, Ordering},
};

use jiff::Timestamp;
use tokio::sync::{broadcast, mpsc};
use twinloom_sdk::{OperatorError, OperatorInfo, Runs};
use twinloom_spec::PortKind;
use twinloom_store::ArtifactKind;

use super::Input;
use crate::{
    EngineConfig, EngineEvent,
    executor::{InlineExecutor, ProcessExecutor},
    owner::Owner,
};

/// What the engine has to know of an operator.
pub struct Facts {
    /// Its version.
    pub version: &'static str,
    /// Whether an earlier result may stand in.
    pub cacheable: bool,
    /// Where it runs.
    pub runs: Runs,
    models: Vec<String>,
    optional: Vec<String>,
}

impl Facts {
    /// What an output port carries; a port that the operator does not list carries rows.
    pub fn output_kind(&self, port: &str) -> ArtifactKind {
        if self.models.iter().any(|model| model == port) {
            ArtifactKind::Model
        } else {
            ArtifactKind::Dataset
        }
    }

    /// Whether an input port may be left out.
    pub fn is_optional(&self, port: &str) -> bool {
        self.optional.iter().any(|optional| optional == port)
    }

    fn of(info: OperatorInfo) -> Self {
        let models = info
            .outputs
            .into_iter()
            .filter(|port| port.kind == PortKind::Model)
            .map(|port| port.name);
        let optional = info
            .inputs
            .into_iter()
            .filter(|port| port.optional)
            .map(|port| port.name);
        Self {
            version: info.version,
            cacheable: info.cacheable,
            runs: info.runs,
            models: models.collect(),
            optional: optional.collect(),
        }
    }
}

/// What the parts of an engine share.
pub struct Shared {
    /// What it was started with.
    pub config: EngineConfig,
    /// Who it is in the database.
    pub owner: Owner,
    /// To whoever looks on.
    pub events: broadcast::Sender<EngineEvent>,
    /// Runs light operators.
    pub inline: InlineExecutor,
    /// Runs operators in processes.
    pub process: ProcessExecutor,
    /// Runs that are not over.
    pub active: AtomicUsize,
    inputs: mpsc::UnboundedSender<Input>,
    facts: HashMap<&'static str, Facts>,
    lease_until: AtomicI64,
}

impl Shared {
    /// Puts it together.
    pub fn new(
        config: EngineConfig,
        inputs: mpsc::UnboundedSender<Input>,
        events: broadcast::Sender<EngineEvent>,
    ) -> Self {
        let infos = config.registry.iter().map(|operator| operator.info());
        let facts = infos.map(|info| (info.name, Facts::of(info))).collect();
        let owner = Owner::here(config.clock.id());
        let inline = InlineExecutor::new(std::sync::Arc::clone(&config.registry), config.store.clone());
        let process = ProcessExecutor::new(config.programs.clone());
        let (active, lease_until) = (AtomicUsize::new(0), AtomicI64::new(i64::MIN));
        Self {
            config,
            owner,
            events,
            inline,
            process,
            active,
            inputs,
            facts,
            lease_until,
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.config.clock.now()
    }

    /// Sends to the dispatcher; after its end the message goes nowhere, and a reply in it answers with an error.
    pub fn send(&self, input: Input) {
        drop(self.inputs.send(input));
    }

    /// What is known of an operator.
    pub fn facts(&self, operator: &str) -> Option<&Facts> {
        self.facts.get(operator)
    }

    /// A lease was stored.
    pub fn leased(&self, until: Timestamp) {
        self.lease_until
            .fetch_max(until.as_millisecond(), Ordering::SeqCst);
    }

    /// Fails when another process may own the run by now: a scheduler that was suspended must not publish.
    pub async fn check_owned(&self, run: &str, epoch: i64) -> Result<(), OperatorError> {
        if self.now().as_millisecond() < self.lease_until.load(Ordering::SeqCst) {
            return Ok(());
        }
        match self.config.meta.run(run).await {
            Ok(row) if row.epoch == epoch => Ok(()),
            Ok(_) => {
                let hint = "The new owner goes on with the run; nothing is to be done here.";
                Err(OperatorError::config(
                    "run.lost",
                    format!("run {run} has another owner by now"),
                    hint,
                ))
            }
            Err(error) => Err(OperatorError::retry(error.code(), &error, error.hint())),
        }
    }
}
