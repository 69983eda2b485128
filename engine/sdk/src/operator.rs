//! The Operator trait, and the registry that looks operators up by name.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use twinloom_spec::{Catalog, OperatorSignature, PortSignature};

use crate::{Context, OperatorError, Outcome};

/// What `with:` deserialises into.
pub trait OperatorConfig: DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static {}

impl<T: DeserializeOwned + Serialize + JsonSchema + Send + Sync + 'static> OperatorConfig for T {}

/// Where an operator runs unless the YAML says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// In the scheduler: light and quick.
    Inline,
    /// In a process of the `twinloom` binary.
    Process,
    /// In a process of the `twinloom-torch` binary.
    Torch,
}

/// What an operator says of itself.
#[derive(Debug, Clone)]
pub struct OperatorInfo {
    /// The name after `uses:`.
    pub name: &'static str,
    /// Raised when the same inputs and configuration would give another output.
    pub version: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Input ports.
    pub inputs: Vec<PortSignature>,
    /// Output ports.
    pub outputs: Vec<PortSignature>,
    /// Whether the YAML may name other ports (`command`).
    pub open_ports: bool,
    /// Where it runs.
    pub runs: Runs,
    /// Whether equal inputs and configuration give an equal output, so that a result may be reused. Operators that
    /// look at the outside world (scrape, approve, promote) say no.
    pub cacheable: bool,
}

/// An operator: typed configuration in, staged artifacts out.
#[async_trait]
pub trait Operator: Send + Sync + 'static {
    /// What `with:` holds.
    type Config: OperatorConfig;

    /// Name, ports, where it runs.
    fn info(&self) -> OperatorInfo;

    /// What else than operator, configuration and inputs decides the output (a tool's version, an environment
    /// variable). Part of the cache key.
    fn cache_salt(&self, _config: &Self::Config) -> Option<String> {
        None
    }

    /// Runs one attempt.
    ///
    /// # Errors
    /// An [`OperatorError`] whose kind says who has to act.
    async fn run(&self, context: &Context, config: Self::Config) -> Result<Outcome, OperatorError>;
}

/// An operator whose configuration type is erased, as the registry holds it.
#[async_trait]
pub trait DynOperator: Send + Sync + 'static {
    /// Name, ports, where it runs.
    fn info(&self) -> OperatorInfo;
    /// Everything the spec checks against.
    fn signature(&self) -> OperatorSignature;
    /// See [`Operator::cache_salt`]; `None` as well where the configuration does not fit.
    fn cache_salt(&self, config: &Value) -> Option<String>;
    /// Runs one attempt on untyped configuration.
    ///
    /// # Errors
    /// `config.invalid` when the configuration does not fit, else the operator's own.
    async fn run(&self, context: &Context, config: Value) -> Result<Outcome, OperatorError>;
}

struct Erased<O>(O);

#[async_trait]
impl<O: Operator> DynOperator for Erased<O> {
    fn info(&self) -> OperatorInfo {
        self.0.info()
    }

    fn signature(&self) -> OperatorSignature {
        signature::<O::Config>(self.0.info())
    }

    fn cache_salt(&self, config: &Value) -> Option<String> {
        self.0.cache_salt(&serde_json::from_value(config.clone()).ok()?)
    }

    async fn run(&self, context: &Context, config: Value) -> Result<Outcome, OperatorError> {
        let name = self.0.info().name;
        let config = serde_json::from_value(config).map_err(|error| {
            OperatorError::config(
                "config.invalid",
                format!("the configuration of `{name}` does not fit: {error}"),
                format!("Compare the step's `with:` with `twinloom schema {name}`."),
            )
        })?;
        self.0.run(context, config).await
    }
}

/// An operator that another program runs (`twinloom-torch`): known here by configuration type and ports alone.
struct External<C> {
    info: OperatorInfo,
    salt: fn(&C) -> Option<String>,
}

#[async_trait]
impl<C: OperatorConfig> DynOperator for External<C> {
    fn info(&self) -> OperatorInfo {
        self.info.clone()
    }

    fn signature(&self) -> OperatorSignature {
        signature::<C>(self.info.clone())
    }

    fn cache_salt(&self, config: &Value) -> Option<String> {
        (self.salt)(&serde_json::from_value(config.clone()).ok()?)
    }

    async fn run(&self, _context: &Context, _config: Value) -> Result<Outcome, OperatorError> {
        Err(OperatorError::config(
            "operator.other_program",
            format!("`{}` runs in another program than this one", self.info.name),
            "Leave `executor:` out of the step, so that the process executor starts the right program.",
        ))
    }
}

fn signature<C: OperatorConfig>(info: OperatorInfo) -> OperatorSignature {
    OperatorSignature {
        name: info.name.to_owned(),
        version: info.version.to_owned(),
        summary: info.summary.to_owned(),
        config_schema: schemars::schema_for!(C).into(),
        inputs: info.inputs,
        outputs: info.outputs,
        open_ports: info.open_ports,
    }
}

/// The operators there are, by name. Built once, by the explicit list in the operators crate.
#[derive(Clone, Default)]
pub struct Registry {
    operators: BTreeMap<&'static str, Arc<dyn DynOperator>>,
    signatures: BTreeMap<&'static str, OperatorSignature>,
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an operator; one of the same name is replaced.
    #[must_use]
    pub fn with<O: Operator>(self, operator: O) -> Self {
        self.add(Arc::new(Erased(operator)))
    }

    /// Adds an operator that `twinloom-torch` runs.
    #[must_use]
    pub fn with_external<C: OperatorConfig>(self, info: OperatorInfo) -> Self {
        self.with_external_salted::<C>(info, |_| None)
    }

    /// The same, with what else decides its output; see [`Operator::cache_salt`].
    #[must_use]
    pub fn with_external_salted<C: OperatorConfig>(
        self,
        info: OperatorInfo,
        salt: fn(&C) -> Option<String>,
    ) -> Self {
        self.add(Arc::new(External { info, salt }))
    }

    /// The operator of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn DynOperator>> {
        self.operators.get(name)
    }

    /// All operators, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn DynOperator>> {
        self.operators.values()
    }

    fn add(mut self, operator: Arc<dyn DynOperator>) -> Self {
        let name = operator.info().name;
        self.signatures.insert(name, operator.signature());
        self.operators.insert(name, operator);
        self
    }
}

impl Catalog for Registry {
    fn operator(&self, name: &str) -> Option<&OperatorSignature> {
        self.signatures.get(name)
    }

    fn names(&self) -> Vec<&str> {
        self.signatures.keys().copied().collect()
    }
}
